"""Edits as models write them: what can be said, what is forgiven, and that every difference can be said."""

from __future__ import annotations

import contextlib
import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentnas.tools.errors import SpecError
from agentnas.tools.operators.base import operators
from agentnas.tools.spec.canonical import canonical, spec_hash
from agentnas.tools.spec.cells import cell_to_spec
from agentnas.tools.spec.cellspace import CellSpace
from agentnas.tools.spec.edits import Edit, apply_edits, cell_text, difference, edits_help, to_edits
from agentnas.tools.spec.model import ArchitectureSpec, parse_spec
from agentnas.tools.spec.notation import read_node
from agentnas.tools.spec.render import node_text, render
from agentnas.tools.spec.space import SearchSpace
from tests.tools.spec.strategies import specs

SPACE = SearchSpace.default()
CELLS = CellSpace.of("cora")
PARENT = parse_spec({
    "body": {
        "nodes": [
            {"id": "first", "op": "gcn", "width": 64, "dropout": 0.5, "activation": "relu"},
            {"id": "hops", "op": "appnp", "inputs": ["first"], "params": {"hops": 20}},
            {"id": "last", "op": "gcn", "inputs": ["hops"], "width": "out", "dropout": 0.5},
        ],
        "outputs": ["last"],
    },
    "head": {"decoder": "none"},
})  # fmt: skip
CELL = cell_to_spec((0, 0, 1, 3), ("gcn", "gat", "sage", "fc"), "cora")


def edited(*lines: str, parent: ArchitectureSpec | None = PARENT) -> str:
    """The canonical text after edits written as ``path = value``."""
    return render(apply_edits(parent, [Edit.model_validate(line) for line in lines], SPACE))


def refusal(*lines: str, parent: ArchitectureSpec | None = PARENT, space: SearchSpace = SPACE) -> str:
    with pytest.raises(SpecError) as caught:
        apply_edits(parent, [Edit.model_validate(line) for line in lines], space)
    return str(caught.value)


def shown(line: int, *lines: str) -> str:
    return edited(*lines).splitlines()[line]


def test_the_parent_is_the_text_that_these_edits_speak_of() -> None:
    assert edited() == render(PARENT) == "\n".join([
        "input: raw features",
        "n1 = gcn 64 <- input; dropout 0.5, relu",
        "n2 = appnp(hops 20, alpha 0.1) 64 <- n1".replace(" 64 <-", " <-"),
        "n3 = gcn out <- n2; dropout 0.5",
        "output: n3",
        "recipe: adam, learning_rate 0.01, weight_decay 0.0005, epochs 300, patience 100",
    ])  # fmt: skip


@pytest.mark.parametrize(
    ("line", "edit", "text"),
    [
        (1, "n1.width = 128", "n1 = gcn 128 <- input; dropout 0.5, relu"),
        (1, "body.nodes.n1.width = '128'", "n1 = gcn 128 <- input; dropout 0.5, relu"),
        (1, "N1.Hidden_Dim = 128.0", "n1 = gcn 128 <- input; dropout 0.5, relu"),
        (1, "n1.activation = Leaky ReLU", "n1 = gcn 64 <- input; dropout 0.5, leaky_relu"),
        (1, "n1.residual = True", "n1 = gcn 64 <- input; dropout 0.5, residual, relu"),
        (1, "n1.dropout = default", "n1 = gcn 64 <- input; relu"),
        (1, "n1 = gat(heads=4) 32 <- input; norm batch, elu", None),
        (2, "n2.hops = 5", "n2 = appnp(hops 5, alpha 0.1) <- n1"),
        (2, "n2.params.hops = 5", "n2 = appnp(hops 5, alpha 0.1) <- n1"),
        (2, "n2.hops = default", "n2 = appnp(hops 10, alpha 0.1) <- n1"),
        (2, "n2.op = sgc", "n2 = sgc(hops 20, average no) <- n1"),
        (2, "n2.op = gat(heads 2) 16", "n2 = gat(heads 2, attention_dropout 0, join concat) 16 <- n1"),
        (2, "n2.inputs = n1 + input", "n2 = appnp(hops 20, alpha 0.1) <- input + n1"),
        (2, "n2.inputs = mean(n1, input)", "n2 = appnp(hops 20, alpha 0.1) <- mean(input, n1)"),
        (2, "n2.parents = [n1, input]", "n2 = appnp(hops 20, alpha 0.1) <- input + n1"),
        (0, "input.encodings = degree 4, random walk", "input: raw features, degree 4, random_walk 8"),
        (0, "input.scale = ROW", "input: raw features, scale row"),
        (5, "recipe.lr = 5e-3", "recipe: adam, learning_rate 0.005, weight_decay 0.0005, epochs 300, patience 100"),
        (5, "recipe.optimizer = AdamW", "recipe: adamw, learning_rate 0.01, weight_decay 0.0005, epochs 300, patience 100"),
        (5, "recipe.weight_decay_conv = none", "recipe: adam, learning_rate 0.01, weight_decay 0.0005, epochs 300, patience 100"),
        (6, "post.kind = correct-and-smooth", "post: correct_and_smooth, alpha 0.8, hops 20, weight 0.5"),
    ],
)  # fmt: skip
def test_one_setting(line: int, edit: str, text: str | None) -> None:
    wanted = text or "n1 = gat(heads 4, attention_dropout 0, join concat) 32 <- input; batch norm, elu"
    assert shown(line, edit) == wanted


def test_one_setting_of_every_node_that_has_it() -> None:
    text = edited("*.dropout = 0.3", "n2.dropout = 0")
    assert re.findall(r"dropout [\d.]+", text) == ["dropout 0.3", "dropout 0.3"], "what is said of one node counts more"
    assert "n1 = gcn 32 <- input" in edited("body.*.width = 32")
    assert "n3 = gcn out <- n2" in edited("body.*.width = 32"), "the task's width was not chosen"
    assert "hops 5" in edited("*.hops = 5")


def test_a_node_that_goes_hands_its_inputs_on() -> None:
    assert edited("-n2") == edited("-n2", "n3.inputs = n1")
    merged = edited("n2.inputs = n1 | input", "-n2").splitlines()
    assert merged[2] == "n2 = gcn out <- input | n1; dropout 0.5", "and the way they were merged"
    assert edited("-n3", "head.decoder = linear").splitlines()[3] == "output: n2, linear head"


def test_a_new_node_stands_where_it_is_named() -> None:
    text = edited("+n4 = mlp 64 <- input; dropout 0.5, relu", "n2.inputs = mean(n1, n4)")
    assert "n2 = mlp(layers 1) 64 <- input; dropout 0.5, relu" in text
    assert "n3 = appnp(hops 20, alpha 0.1) <- mean(n1, n2)" in text
    assert edited("n2.inputs = n4, n1", "+n4 = n4 = mlp 64 ← input") == edited("+n4 = mlp 64 <- input", "n2.inputs = n1 + n4")


def test_without_a_parent_everything_is_said() -> None:
    text = edited("+a = gcn 64 <- input; relu", "+b = gcn 64 <- a", "outputs = max(a, b)", "recipe.epochs = 200", parent=None)
    assert text == "\n".join([
        "input: raw features", "n1 = gcn 64 <- input; relu", "n2 = gcn 64 <- n1", "output: max(n1, n2), linear head",
        "recipe: adam, learning_rate 0.01, weight_decay 0.0005, epochs 200, patience 100",
    ])  # fmt: skip


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["n9.width = 3"], "n9.width: the parent has no 'n9'; allowed: *, body.jump, body.outputs, head, input, n1, n2, n3, post, recipe"),
        (["n1.widht = 3"], "n1.widht does not exist; did you mean width?"),
        (["n2.hop = 3"], "n2.hop does not exist; did you mean hops or op?"),
        (["recipe.learningrate = 3"], "recipe.learningrate does not exist; did you mean learning_rate?"),
        (["recipe.learning_rate = fast"], "recipe.learning_rate is 'fast'; allowed: more than 0 to 10"),
        (["n1.width = huge"], "n1.width is 'huge'; allowed: 1 to 4096, 'out' or null"),
        (["n1.op = gnc"], "n1.op: unknown operator 'gnc'; did you mean sgc or gin or gcn?"),
        (["n2.hops = 900"], "n2: params.hops is 900, allowed: 1 to 128"),
        (["n2.hops = many"], "n2: params.hops is 'many'; allowed: a whole number"),
        (["n2.params.heads = 2"], "n2: operator appnp has no parameter 'heads'; allowed: alpha, hops"),
        (["n2.width = 64"], "n2: operator appnp keeps the width of its input; width is 64, allowed: null"),
        (["n1.inputs = n3"], "body: nodes: n1, n2, n3 form a cycle; the body must be acyclic"),
        (["n1.inputs = n2 + input | n3"], None),
        (["n1.norm = loud"], "n1.norm is 'loud'; allowed: batch, graph, layer, none, pair"),
        (["+n2 = gcn 64 <- n1"], "+n2: the parent has a node n2; give the new one another name, or path n2 to replace it"),
        (["+recipe = gcn 64 <- n1"], "+recipe: no name for a node; allowed: n and a number, such as n4"),
        (["+n4 = gcn 64 <- n1"], "+n4: nothing reads it; name it in the inputs of a node that reaches the output, or in body.outputs"),
        (["+n4 = a gcn"], "n4 is 'a gcn'; allowed: operator, width, inputs and looks, such as 'n4 = gcn 64 <- n2; dropout 0.5, relu'"),
        (["+n4 = gcn 64 <- n1; very deep"], None),
        (["+n4 = gcn 64 <- n1; relu, elu"], "n4: activation is given twice, relu and elu; give it once"),
        (["-n7"], "-n7: the parent has no such node; allowed: n1, n2, n3"),
        (["*.op = gat"], "*.op: nodes differ in it; name them one by one, such as n1.op"),
        (["*.heads = 2"], None),
        (["n1.width = 3", "body.n1.width = 4"], "n1.width is edited 2 times; give each path once"),
        (["head.decoder = linear", "body.outputs = n8"], "body: outputs: 'n8' does not exist; allowed: input, n1, n2, n3"),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_named_with_what_is_allowed(lines: list[str], told: str | None) -> None:
    said = refusal(*lines)
    assert said == (told or said)
    assert told or "allowed: " in said
    assert "\n" not in said


@settings(max_examples=40)
@given(parent=specs(), child=specs())
def test_every_difference_between_two_specs_can_be_said(parent: ArchitectureSpec, child: ArchitectureSpec) -> None:
    edits = to_edits(parent, child, SPACE)
    assert spec_hash(apply_edits(parent, edits, SPACE)) == spec_hash(child)
    assert spec_hash(apply_edits(parent, edits[::-1], SPACE)) == spec_hash(child), "in any order"
    assert spec_hash(apply_edits(None, to_edits(None, child, SPACE), SPACE)) == spec_hash(child)


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32))
def test_a_mutation_is_few_edits_and_its_factor_is_found_again(seed: int) -> None:
    rng = random.Random(seed)
    parent = canonical(SPACE.sample(rng))
    mutation = SPACE.mutate(parent, rng)
    assert mutation is not None
    edits = to_edits(parent, mutation.spec, SPACE)
    assert spec_hash(apply_edits(parent, edits, SPACE)) == spec_hash(mutation.spec)
    factor, change = difference(parent, mutation.spec, SPACE)
    assert change
    if mutation.factor.startswith(("input.", "recipe.", "post.")):
        assert factor == mutation.factor
        assert len(edits) <= 2, "patience may go with the epochs"


@settings(max_examples=30)
@given(spec=specs())
def test_the_line_of_a_node_is_read_back(spec: ArchitectureSpec) -> None:
    for node in canonical(spec).body.nodes:
        data = read_node(node.id, node_text(node))
        data["params"] = {name: value for name, value in data["params"].items() if value != operators()[node.op].param(name).default}
        assert type(node).model_validate(data) == node


@given(
    lines=st.lists(
        st.tuples(
            st.sampled_from(("n1", "+n4", "-n1", "n2.inputs", "n1.op", "*.width", "recipe.epochs", "input.encodings", "body.outputs"))
            | st.text(max_size=20),
            st.sampled_from(("gcn 64 <- n1", "gat(heads 2", "mean(n1", "n1 |", "laplacian ²", "1e999", "nan", "-1")) | st.text(max_size=30),
        ),
        max_size=4,
    ),
    space=st.sampled_from((SPACE, CELLS)),
)
def test_nonsense_is_refused_by_a_spec_error_and_nothing_else(lines: list[tuple[str, str]], space: SearchSpace) -> None:
    edits = [Edit(path=path, value=value) for path, value in lines]
    for parent in (CELL if space is CELLS else PARENT, None):
        with contextlib.suppress(SpecError):
            assert isinstance(apply_edits(parent, edits, space), ArchitectureSpec)


@pytest.mark.parametrize(
    "lines",
    [
        ["cell.links = 0,0,1,3", "cell.ops = gcn,gat,sage,fc"],
        ["cell.links = [0, 0, 1, 3]", "cell.ops = [gcn, gat, sage, fc]"],
        ["cell.links = 0,0,1,3", "cell.op = gcn,gat,sage,fc"],
        ["Cell.Links = 0013", 'cell.ops = "GCN GAT sage fc"'],
    ],
)  # fmt: skip
def test_a_cell_is_written_in_several_ways(lines: list[str]) -> None:
    assert apply_edits(None, [Edit.model_validate(line) for line in lines], CELLS) == CELL
    assert apply_edits(cell_to_spec((0, 1, 2, 3), ("gcn",) * 4, "cora"), [Edit.model_validate(line) for line in lines], CELLS) == CELL


def test_a_cell_keeps_what_is_not_named() -> None:
    child = apply_edits(CELL, [Edit(path="cell.links", value="0,1,2,3")], CELLS)
    assert cell_text(CELLS.cell(child)) == "0,1,2,3 gcn,gat,sage,fc"
    assert difference(CELL, child, CELLS) == ("cell.links", "cell 0,0,1,3 gcn,gat,sage,fc -> 0,1,2,3 gcn,gat,sage,fc")
    both = apply_edits(CELL, [Edit(path="cell.links", value="0123"), Edit(path="cell.ops", value="gin,gin,sage,fc")], CELLS)
    assert difference(CELL, both, CELLS)[0] is None


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32))
def test_every_mutation_of_a_cell_can_be_said(seed: int) -> None:
    rng = random.Random(seed)
    parent = CELLS.sample(rng)
    mutation = CELLS.mutate(parent, rng)
    assert mutation is not None
    assert spec_hash(apply_edits(parent, to_edits(parent, mutation.spec, CELLS), CELLS)) == spec_hash(mutation.spec)
    assert difference(parent, mutation.spec, CELLS)[0] in ("cell.op", "cell.links")


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["cell.ops = gcn,gat,sage,mlp"], "unknown operator 'mlp' in the cell; allowed: arma, cheb, fc, gat, gcn, gin, graph, sage, skip"),
        (["cell.ops = gcn,gat"], "a cell has 4 links and 4 operators, got 4 and 2"),
        (["cell.links = 0,3,0,0"], "link 2 of the cell is 3; allowed: 0 to 1"),
        (["cell.links = chain"], "cell.links is 'chain'; allowed: 4 numbers such as 0,0,1,3: 0 is the input, 1 the first node"),
        (["cell.ops = skip,skip,skip,skip"], "cell.op is four skips, which compute nothing; allowed: at least one other operator"),
        (["n1.width = 3"], "n1.width: a cell has no such path; allowed: cell.links, cell.op"),
    ],
)  # fmt: skip
def test_what_is_no_cell_is_refused(lines: list[str], told: str) -> None:
    assert refusal(*lines, parent=CELL, space=CELLS) == told


def test_a_cell_without_a_parent_is_whole() -> None:
    told = "cell.op is missing; a cell without a parent needs cell.links and cell.op"
    assert refusal("cell.links = 0123", parent=None, space=CELLS) == told


def test_the_help_names_what_the_space_holds_and_its_examples_work() -> None:
    for space, parent in ((SPACE, PARENT), (SearchSpace.small(), PARENT), (CELLS, CELL)):
        text = edits_help(space)
        assert 300 < len(text) < 4000
        examples = [re.findall(r"\[([^\[\]]+=[^\[\]]+)\]", line) for line in text.splitlines()]
        assert sum(map(bool, examples)) >= 2
        for lines in filter(None, examples):
            free = [re.sub(r"\bn3\b", "n9", line) for line in lines]
            child = apply_edits(parent, [Edit.model_validate(line) for line in free], space)
            assert spec_hash(child) != spec_hash(parent)
    assert "warmup 0 to 30;" in edits_help(SPACE)
    assert "learning_rate 0.001 to 0.2 [0.01]" in edits_help(SPACE)
    assert "warmup" not in edits_help(SearchSpace.small())
    assert not [name for name, found in operators().items() if not found.needs and name not in edits_help(SPACE)]
