"""AgentNAS beside what a user would write: Optuna 5 over PyTorch Geometric, on the same machine, data, splits and time.

    python -m tests.benchmarks.versus_optuna --parts list --tasks cora,citeseer --repeats 5
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch: the workers of both sides have one thread each

from agentnas.words import markdown_table
from tests.benchmarks.versus_optuna import fixed_list

TASKS = "cora,citeseer,photo,cs,texas"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", default=TASKS)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=None)
    parser.add_argument("--patience", type=int, default=50)
    asked = parser.parse_args()
    rows: list[dict[str, Any]] = []

    def told(row: dict[str, Any]) -> None:
        print({key: value for key, value in row.items() if key != "vals"}, flush=True)
        rows.append(row)

    for task in asked.tasks.split(","):
        rule = fixed_list.Rule(asked.epochs or fixed_list.EPOCHS.get(task, 200), asked.patience)
        fixed_list.measure(task, rule, asked.repeats, fixed_list.LIST, told)
    cells = fixed_list.summary(rows)
    print(markdown_table(list(cells[0]), [list(row.values()) for row in cells]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
