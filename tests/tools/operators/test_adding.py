"""Adding an operator touches one file: a file in a folder named by AGENTNAS_OPERATORS, and everything knows it."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from agentnas.tools.codegen import model_source
from agentnas.tools.errors import ConfigError, SpecError
from agentnas.tools.nn.network import build_network
from agentnas.tools.operators.base import operators
from agentnas.tools.spec.model import ArchitectureSpec, parse_spec
from tests.tools.nn.making import FEATURES, NODES, features, graph, sparse

FILE = '''"""High-pass filter: what a node has that its neighbours have not."""

from __future__ import annotations

from torch import Tensor, nn

from agentnas.tools.nn.graph import Graph
from agentnas.tools.nn.layers import Linear
from agentnas.tools.nn.sparse import Features
from agentnas.tools.operators.base import Operator, Param

OPERATOR = Operator(
    name="highpass",
    kind="convolution",
    module="HighPass",
    doc="own features minus a share of the neighbours'",
    source="a test",
    params=(Param("share", 0.5, (0.25, 0.5, 1.0), "share of the neighbours that is taken away", 0, 1),),
)


class HighPass(nn.Module):
    takes_sparse = True

    def __init__(self, in_channels: int, out_channels: int, share: float = 0.5) -> None:
        super().__init__()
        self.lin, self.share = Linear(in_channels, out_channels), share

    def forward(self, x: Features, graph: Graph) -> Tensor:
        h = self.lin(x)
        return h - self.share * (graph.adjacency("row") @ h)
'''


@pytest.fixture
def added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "highpass.py").write_text(FILE)
    monkeypatch.setenv("AGENTNAS_OPERATORS", str(tmp_path))
    return tmp_path


def spec_with(**params: object) -> ArchitectureSpec:
    nodes = [{"id": "a", "op": "highpass", "width": 8, "params": params, "activation": "relu"}]
    return parse_spec({"body": {"nodes": nodes, "outputs": ["a"]}})


def test_it_is_known_and_trained(added: Path) -> None:
    assert "highpass" in operators()
    net = build_network(spec_with(share=0.25), in_channels=FEATURES, out_channels=3)
    out = net(sparse(features()), graph())
    out.sum().backward()
    assert out.shape == (NODES, 3)
    assert all(p.grad is not None for p in net.parameters())


def test_its_parameters_are_validated(added: Path) -> None:
    with pytest.raises(SpecError, match=r"params.share is 2.0, allowed: 0 to 1"):
        spec_with(share=2.0)
    with pytest.raises(SpecError, match="highpass has no parameter 'chare'; did you mean share"):
        spec_with(chare=0.5)


def test_it_is_in_the_schema_and_sampled(added: Path) -> None:
    from agentnas.tools.spec.space import SearchSpace
    from agentnas.tools.spec.wire import wire_schema

    assert '"highpass"' in json.dumps(wire_schema())
    space, rng = SearchSpace.default(), random.Random(0)
    drawn = {node.op for _ in range(300) for node in space.sample(rng).body.nodes}
    assert "highpass" in drawn


def test_it_is_exported(added: Path, tmp_path: Path) -> None:
    net = build_network(spec_with(), in_channels=FEATURES, out_channels=3)
    source = model_source(spec_with(), FEATURES, 3)
    assert "class HighPass(nn.Module):" in source
    assert "self.n1 = Block(HighPass(10, 8, share=0.5), activation=nn.ReLU())" in source
    (tmp_path / "out.py").write_text(source)
    torch.save(net.state_dict(), tmp_path / "weights.pt")
    weights = str(tmp_path / "weights.pt")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import out; out.load({weights!r}); print('agentnas' in sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("False\n", "")


def test_without_the_folder_it_is_unknown() -> None:
    assert "highpass" not in operators()
    with pytest.raises(SpecError, match="unknown operator 'highpass'"):
        spec_with()


def test_a_name_that_is_taken_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.py").write_text(FILE.replace('name="highpass"', 'name="gcn"'))
    monkeypatch.setenv("AGENTNAS_OPERATORS", str(tmp_path))
    with pytest.raises(ConfigError, match=r"mine\.py: operator 'gcn' is already defined in .*gcn.py"):
        operators()


def test_a_file_without_a_description_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty.py").write_text("x = 1\n")
    monkeypatch.setenv("AGENTNAS_OPERATORS", str(tmp_path))
    with pytest.raises(ConfigError, match=r"empty.py: no statement OPERATOR = Operator"):
        operators()


ATTACKS = {
    "reaching for classes": "().__class__.__mro__[1].__subclasses__()",
    "a comprehension": "Operator(*[x for x in ('a', 'convolution', 'B', 'c', 'd')])",
    "a call inside": "Operator(name=open('{0}', 'w').name, kind='convolution', module='A', doc='b', source='c')",
    "a lambda that is called": "(lambda: Operator('a', 'convolution', 'B', 'c', 'd'))()",
    "a method of a literal": "Operator(name='a'.upper(), kind='convolution', module='A', doc='b', source='c')",
    "an attribute of a class": "Operator.__init__.__globals__",
    "arithmetic": "Operator(name='a' * 10**9, kind='convolution', module='A', doc='b', source='c')",
    "an f-string": "Operator(name=f'{{open}}', kind='convolution', module='A', doc='b', source='c')",
    "an unpacked dictionary": "Operator(**{{'name': 'a'}})",
    "a walrus": "(x := Operator('a', 'convolution', 'B', 'c', 'd'))",
}
REFUSED = {
    "no operator": ("Param('a', 1, (1,), 'b')", "OPERATOR is Param.*it must be Operator"),
    "a number": ("3", "OPERATOR is 3; it must be Operator"),
    "a missing field": ("Operator(name='a')", r":1: .*missing 4 required positional arguments"),
    "an unknown field": ("Operator('a', 'convolution', 'B', 'c', 'd', colour=1)", "unexpected keyword argument 'colour'"),
    "a double star": ("Operator(**3)", "unexpected keyword argument"),
    "a wrong kind": ("Operator('a', 'magic', 'B', 'c', 'd')", "kind is one of convolution, propagation, pointwise"),
    "a name that is no text": ("Operator(3, 'convolution', 'B', 'c', 'd')", "name, module, doc and source are texts"),
    "params that are none": ("Operator('a', 'convolution', 'B', 'c', 'd', params=(1, 2))", r"must be a tuple of Param"),
    "a default that is no value": ("Operator('a', 'convolution', 'B', 'c', 'd', (Param('p', None, (), 'x'),))", "its default a number"),
    "no Python": ("Operator(", "not a Python file"),
}


def described_by(expression: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "evil.py").write_text(f"OPERATOR = {expression}\n")
    monkeypatch.setenv("AGENTNAS_OPERATORS", str(folder))
    operators()


@pytest.mark.parametrize("name", ATTACKS)
def test_a_description_executes_nothing(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = tmp_path / "opened"
    with pytest.raises(ConfigError, match=r"evil\.py:1: .* is no literal; a description holds"):
        described_by(ATTACKS[name].format(opened), tmp_path, monkeypatch)
    assert not opened.exists()


@pytest.mark.parametrize("name", REFUSED)
def test_a_description_that_does_not_fit_is_told(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expression, told = REFUSED[name]
    with pytest.raises(ConfigError, match=rf"evil\.py.*{told}") as raised:
        described_by(expression, tmp_path, monkeypatch)
    assert "\n" not in str(raised.value)


def test_lists_and_negative_numbers_are_literals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    described_by("Operator('evil', 'convolution', 'B', 'c', 'd', [Param('p', -1.5, [-1.5, 2], 'x', low=-3)])", tmp_path, monkeypatch)
    (param,) = operators()["evil"].params
    assert (param.default, param.search, param.low) == (-1.5, (-1.5, 2), -3)


def test_descriptions_are_read_without_torch() -> None:
    code = "import sys; from agentnas.tools.operators.base import operators; print(len(operators()) > 15, 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "True False\n"
