"""What every test stands on: the public data sets, nobody's own configuration, one thread."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

if TYPE_CHECKING:
    from agentnas.run import Run

REPOSITORY = Path(__file__).resolve().parents[1]
SHARED_DATA = REPOSITORY.parent / "shared" / "datasets"

# Before anything imports torch: tests share the machine, and the number of threads decides the time that they take.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A busy machine is no failure; and what a change must pass is the same at every try.
hypothesis.settings.register_profile(
    "agentnas",
    deadline=None,
    derandomize=os.environ.get("CI") == "true",
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("agentnas")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Measurements of minutes run only where they were asked for."""
    if os.environ.get("AGENTNAS_PROVE") == "1":
        return
    proofs = [item for item in items if item.get_closest_marker("prove")]
    config.hook.pytest_deselected(items=proofs)
    items[:] = [item for item in items if item not in proofs]


@pytest.fixture(autouse=True, scope="session")
def _surroundings(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The person's own configuration must not decide whether tests pass; commands find the data sets beside the repository."""
    os.environ["XDG_CONFIG_HOME"] = str(tmp_path_factory.mktemp("config"))
    os.environ["AGENTNAS_MEMORY_DIR"] = "none"  # runs remember nothing of each other, and nothing of the person's own
    os.environ["AGENTNAS_WITHOUT_BASELINES"] = "true"  # seconds a run; the tests that are about them ask for them
    if SHARED_DATA.is_dir():
        os.environ.setdefault("AGENTNAS_DATA_DIR", str(SHARED_DATA))


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder with the raw files of the public data sets: $AGENTNAS_DATA_DIR, else ``../shared/datasets``.

    A continuous-integration run without it fails, because it would test nothing; elsewhere the tests that need it are skipped.
    """
    named = os.environ.get("AGENTNAS_DATA_DIR", "")
    folder = Path(named) if named else SHARED_DATA
    if folder.is_dir():
        return folder.absolute()  # not resolved: what commands print is the folder as it was named
    reason = f"needs the public data sets; {folder} does not exist, set AGENTNAS_DATA_DIR"
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def papers_dir(data_dir: Path) -> Path:
    """The folder with listings of abstracts, beside the data sets; missing, it is treated as they are."""
    folder = data_dir.parent / "papers"
    if folder.is_dir():
        return folder
    reason = f"needs listings of papers; {folder} does not exist"
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def live_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished live run on digits with a winner; tests look at it and leave it as it is."""
    import agentnas
    from tests import quick

    with pytest.MonkeyPatch.context() as patch:
        quick.shorten(patch)
        return agentnas.design(**quick.LIVE, runs_dir=tmp_path_factory.mktemp("live") / "runs")


@pytest.fixture(scope="session")
def table_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run over a table."""
    import agentnas

    return agentnas.design("nasbench:cora", trials=7, seed=2, runs_dir=tmp_path_factory.mktemp("table") / "runs")
