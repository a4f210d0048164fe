"""Costs of a spec: arithmetic equals the network, measurements are exact or plausible."""

from __future__ import annotations

import os
import random
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
import torch

from agentnas.tools.errors import ConfigError, SpecError, UsageError
from agentnas.tools.operators.base import operators
from agentnas.tools.profiling import Profile, _counted, parameters_by_part, peak_allocated_mib, price, profile, resolve_device
from agentnas.tools.room import MIB
from agentnas.tools.sizes import Sizes
from agentnas.tools.spec.model import ArchitectureSpec, Jump, Merge, parse_spec
from agentnas.tools.spec.space import SearchSpace
from agentnas.tools.tasks import load_task
from agentnas.tools.tasks.base import Task
from agentnas.tools.train.data import PreparedTask

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def digits() -> Task:
    return load_task("digits")


@pytest.fixture(scope="module")
def prepared(digits: Task) -> PreparedTask:
    return PreparedTask.from_task(digits)


def spec(width: int = 16, op: str = "gcn", **parts: Any) -> ArchitectureSpec:
    nodes = [
        {"id": "a", "op": op, "width": width, "activation": "relu"},
        {"id": "b", "op": "mlp", "inputs": ["a"], "width": "out"},
    ]
    return parse_spec({"body": {"nodes": nodes, "outputs": ["b"]}, "head": {"decoder": "none"}, **parts})


def test_price_by_hand(digits: Task) -> None:
    assert digits.data is not None
    sizes = Sizes.of(digits)
    n, e = digits.data.num_nodes, digits.data.num_edges
    assert sizes == Sizes(n, e, 64, 10, None)  # half of the pixels are inked: a dense matrix
    priced = price(spec(), sizes)
    parameters = 64 * 16 + 16 + 16 * 10 + 10
    assert (priced["parameters"], priced["size_mib"]) == (parameters, round(4 * parameters / MIB, 4))
    assert priced["flops"] == pytest.approx(2 * n * 64 * 16 + 2 * (e + n) * 16 + 2 * n * 16 * 10, rel=0.02)


def test_parameters_are_told_by_part_under_the_names_of_the_spec() -> None:
    sizes, small = Sizes(10, 20, 5, 2), spec(input={"encoder": "linear", "width": 8})
    assert parameters_by_part(small, sizes) == {"input": 5 * 8 + 8, "a": 8 * 16 + 16, "b": 16 * 2 + 2}
    rng, space = random.Random(0), SearchSpace.default()
    for _ in range(20):
        sampled = space.sample(rng)
        assert sum(parameters_by_part(sampled, sizes).values()) == price(sampled, sizes)["parameters"]


def test_price_counts_sparse_features_by_non_zeros() -> None:
    sparse = Sizes(2708, 10556, 1433, 7, nnz=49216)
    dense = Sizes(2708, 10556, 1433, 7)
    saved = price(spec(), dense)["flops"] - price(spec(), sparse)["flops"]
    assert saved == pytest.approx(2 * 16 * (2708 * 1433 - 49216), rel=0.01)


def test_price_leaves_random_state_alone_and_needs_no_data() -> None:
    torch.manual_seed(0)
    expected = torch.rand(2)
    torch.manual_seed(0)
    encoded = spec(input={"encoder": "linear", "width": 8, "encodings": [{"kind": "laplacian", "dim": 4}]})
    assert price(encoded, Sizes(10, 20, 5, 2))["parameters"] == 5 * 8 + 8 + (8 + 4) * 16 + 16 + 16 * 2 + 2
    assert torch.equal(torch.rand(2), expected)


def body(op: str, width: int, **node: Any) -> dict[str, Any]:
    sized = {"width": width} if operators()[op].has_width else {}
    nodes = [{"id": "e", "op": "mlp", "width": width}, {"id": "a", "op": op, "inputs": ["e"], **sized, **node}]
    return {"body": {"nodes": nodes, "outputs": ["a"]}}


def both_ways(written: ArchitectureSpec, sizes: Sizes) -> tuple[dict[str, Any], dict[str, Any]]:
    return _counted(written, sizes, "meta"), _counted(written, sizes, "cpu")


@pytest.mark.parametrize("nnz", [None, 300])
@pytest.mark.parametrize("op", sorted(operators()))
def test_every_operator_costs_the_same_without_weights(op: str, nnz: int | None) -> None:
    for encoder in ("none", "mlp"):
        first = parse_spec({**body(op, 8, residual=True, norm="layer"), "input": {"encoder": encoder, "width": 6}})
        raw = parse_spec({"body": {"nodes": [{"id": "a", "op": op}], "outputs": ["a"]}, "input": {"encoder": encoder, "width": 6}})
        for written in (first, raw):
            without, real = both_ways(written, Sizes(50, 120, 12, 3, nnz))
            assert without == real


@pytest.mark.parametrize("norm", ["batch", "layer", "pair", "graph"])
@pytest.mark.parametrize("kind", ["node", "link"])
def test_norms_merges_and_heads_cost_the_same_without_weights(kind: str, norm: str) -> None:
    for merge in ("sum", "max", "concat", "gate", "attention"):
        nodes = [
            {"id": "a", "op": "gcn", "width": 8, "norm": norm, "activation": "prelu"},
            {"id": "b", "op": "mlp", "width": 5},
            {"id": "c", "op": "gat", "inputs": ["a", "b", "input"], "merge": merge if merge in get_args(Merge) else "sum", "width": 8},
        ]
        head = {"kind": kind, "decoder": {"link": "common_neighbour", "node": "mlp"}[kind]}
        jump = merge if merge in get_args(Jump) else "concat"
        without, real = both_ways(
            parse_spec({"body": {"nodes": nodes, "outputs": ["a", "c"], "jump": jump}, "head": head}), Sizes(50, 120, 12, 3, 99)
        )
        assert without == real


def test_a_huge_spec_is_priced_at_once_without_its_weights() -> None:
    nodes = [{"id": f"a{i}", "op": "pna", "width": 4096, "inputs": [f"a{i - 1}" if i else "input"]} for i in range(12)]
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    priced = price(parse_spec({"body": {"nodes": nodes, "outputs": ["a11"]}}), Sizes(2708, 10556, 1433, 7, 49216))
    assert priced["parameters"] > 12 * 15 * 4096**2
    assert time.perf_counter() - began < 10
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 1024, "KiB"


CUSTOM = """
import torch
from agentnas.tools.operators.base import Operator
OPERATOR = Operator(name="odd", kind="convolution", module="Odd", doc="a test", source="a test")

class Odd(torch.nn.Module):
    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.lin = torch.nn.Linear(in_channels, out_channels)
        {init}

    def forward(self, x, graph):
        {forward}
        return self.lin(x)
"""


@pytest.fixture
def odd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., ArchitectureSpec]:
    def write(width: int = 4, init: str = "pass", forward: str = "pass") -> ArchitectureSpec:
        (tmp_path / "odd.py").write_text(CUSTOM.format(init=init, forward=forward))
        monkeypatch.setenv("AGENTNAS_OPERATORS", str(tmp_path))
        return parse_spec({"body": {"nodes": [{"id": "a", "op": "odd", "width": width}], "outputs": ["a"]}})

    return write


@pytest.mark.parametrize("width", [4, 4096])
@pytest.mark.parametrize(
    ("broken", "told"),
    [
        ({"init": "raise ValueError('no\\nsuch')"}, "ValueError: no such"),
        ({"forward": "x = x @ x"}, "RuntimeError: .*shapes"),
        ({"forward": "1 / 0"}, "ZeroDivisionError: division by zero"),
    ],
)
def test_a_spec_that_cannot_be_built_is_told_in_one_line(
    odd: Callable[..., ArchitectureSpec], broken: dict[str, str], told: str, width: int
) -> None:
    with pytest.raises(SpecError, match=f"^cannot be built: {told}") as raised:
        price(odd(width, **broken), Sizes(10, 20, 500, 2))
    assert "\n" not in str(raised.value)


def test_an_operator_that_reads_its_weights_is_priced_while_it_is_small(odd: Callable[..., ArchitectureSpec]) -> None:
    reads = {"init": "self.scale = float(self.lin.weight.detach().sum())", "forward": "float(self.lin.bias.sum())"}
    assert price(odd(512, **reads), Sizes(10, 20, 500, 2))["parameters"] == 500 * 512 + 512 + 512 * 2 + 2
    with pytest.raises(SpecError, match="cannot be built"):
        price(odd(4096, **reads), Sizes(10, 20, 500, 2))


def test_profile_agrees_with_price_and_restores_threads(digits: Task, prepared: PreparedTask) -> None:
    torch.set_num_threads(2)
    measured = profile(spec(), prepared)
    assert torch.get_num_threads() == 2
    torch.set_num_threads(1)
    assert price(spec(), Sizes.of(digits)).items() <= vars(measured).items()
    assert 0 < measured.latency_ms_p50 <= measured.latency_ms_p95
    assert measured.size_mib < measured.peak_memory_mib < measured.train_memory_mib
    assert measured.epoch_ms > measured.latency_ms_p50


def test_a_wider_network_costs_more_of_everything(prepared: PreparedTask) -> None:
    narrow, wide = profile(spec(8), prepared), profile(spec(1024), prepared)
    names = [name for name in Profile.__dataclass_fields__ if getattr(wide, name) <= getattr(narrow, name)]
    assert names == []


def test_post_processing_costs_latency(prepared: PreparedTask) -> None:
    plain, post = profile(spec(), prepared), profile(spec(post={"kind": "correct_and_smooth", "hops": 50}), prepared)
    assert post.latency_ms_p50 > plain.latency_ms_p50
    assert post.parameters == plain.parameters


@pytest.mark.parametrize("recipe", [{"batching": "cluster"}, {"batching": "neighbour", "batch_size": 64}, {"consistency_samples": 2}])
def test_every_kind_of_training_can_be_profiled(prepared: PreparedTask, recipe: dict[str, Any]) -> None:
    assert profile(spec(recipe=recipe), prepared).train_memory_mib > 0


def test_memory_repeats_to_the_byte(prepared: PreparedTask) -> None:
    first, second = profile(spec(), prepared), profile(spec(), prepared)
    assert (first.peak_memory_mib, first.train_memory_mib) == (second.peak_memory_mib, second.train_memory_mib)


def test_peak_memory_by_hand(capfd: pytest.CaptureFixture[str]) -> None:
    """Two tensors of 4 MiB live together; a third one comes after the first has gone."""

    def work() -> None:
        a = torch.zeros(1024, 1024)
        b = a + 1
        del a
        c = b + 1
        del b, c

    assert peak_allocated_mib(work, CPU) == pytest.approx(8.0, abs=0.01)
    os.write(2, b"still here")
    assert capfd.readouterr().err == "still here"


def test_peak_memory_sees_what_only_the_backward_pass_holds() -> None:
    weight = torch.zeros(1024, 256, requires_grad=True)

    def work() -> None:
        torch.autograd.backward(weight.exp().exp().sum())

    # Two results kept for the backward pass, and the gradients of the later and of the earlier one.
    assert peak_allocated_mib(work, CPU) == pytest.approx(3.0, abs=1.01)
    assert peak_allocated_mib(lambda: weight.detach().exp_(), CPU) == pytest.approx(0.0, abs=0.01)


def test_devices_by_name() -> None:
    assert resolve_device("cpu") == "cpu"
    assert resolve_device("auto") == ("cuda:0" if torch.cuda.is_available() else "cpu")
    with pytest.raises(ConfigError, match=r"device 'cuda:99' is not there; allowed on this machine: cpu, auto"):
        resolve_device("cuda:99")


def test_a_table_has_no_sizes() -> None:
    with pytest.raises(UsageError, match="its costs are looked up"):
        Sizes.of(load_task("nasbench:cora"))


def test_cora_is_sparse(data_dir: Path) -> None:
    assert Sizes.of(load_task("cora", data_dir=data_dir)) == Sizes(2708, 10556, 1433, 7, 49216)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_profile_on_cuda(digits: Task) -> None:
    measured = profile(spec(), PreparedTask.from_task(digits, "cuda"))
    assert 0 < measured.latency_ms_p50 <= measured.latency_ms_p95
    assert measured.size_mib < measured.peak_memory_mib < measured.train_memory_mib
