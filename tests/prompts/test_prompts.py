"""Templates: what ships is whole, and a person's own files replace it or say in one line what is wrong with them."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest

from agentnas.prompts import Prompts, load
from agentnas.prompts.roles import CHOSEN, PARTIALS, REQUIRED, ROLES
from agentnas.prompts.templates import Template, versioned
from agentnas.tools.errors import ConfigError
from agentnas.tools.spec.model import parse_spec
from agentnas.tools.spec.render import render

WHOLE = "---\nversion: 7\n---\n# System\nyou plan\n# User\n{task} {factors} {evidence} {results} {told}\n"


def shipped(stem: str) -> str:
    return resources.files("agentnas.prompts").joinpath(f"{stem}.md").read_text(encoding="utf-8")


def test_shipped_prompts_use_all_that_a_role_may_be_told() -> None:
    prompts = Prompts()
    assert {role: prompt.placeholders for role, prompt in prompts.roles.items()} == ROLES
    assert all(prompt.source == "shipped" for prompt in prompts.roles.values())
    assert all(required < ROLES[role] for role, required in REQUIRED.items())


def test_every_partial_is_used() -> None:
    included = {name.partition("@")[0] for prompt in Prompts().roles.values() for name in prompt.included}
    assert included | {name for names in CHOSEN.values() for name in names} == set(PARTIALS)


def test_every_file_that_ships_is_known() -> None:
    files = {path.name for path in resources.files("agentnas.prompts").iterdir() if path.name.endswith(".md")}
    assert files == {f"{stem}.md" for stem in (*ROLES, *(f"_{name}" for name in PARTIALS), "recall", "reader")}


def test_partials_stand_in_the_text() -> None:
    system = Prompts().roles["coder"].system.text
    assert "{include" not in system
    assert versioned("_data", shipped("_data"))[1].strip() in system


def test_recall_is_a_question_without_its_front_matter() -> None:
    filled = load("recall").fill(task="a {task}", tried="nothing")
    assert filled.startswith("A task with these facts:\na {task}\n")


def test_the_example_of_a_design_is_one_as_it_is_shown() -> None:
    nodes = [
        {"id": "a", "op": "mlp", "width": 64, "dropout": 0.5, "activation": "relu"},
        {"id": "b", "op": "appnp", "inputs": ["a"]},
        {
            "id": "c",
            "op": "gcn",
            "inputs": ["a", "b"],
            "width": 64,
            "dropout": 0.5,
            "norm": "batch",
            "residual": True,
            "activation": "relu",
        },
    ]
    body = {"nodes": nodes, "outputs": ["b", "c"], "jump": "concat"}
    recipe = {"epochs": 300, "patience": 100}
    spec = parse_spec({"input": {"scale": "row", "dropout": 0.5}, "body": body, "head": {"decoder": "linear"}, "recipe": recipe})
    example = [line.strip() for line in shipped("_specs").splitlines() if line.startswith("    ")]
    assert example == render(spec).splitlines()


def test_values_are_put_in_as_they_are() -> None:
    template = Template("x", "{a} {b}", frozenset({"a", "b"}))
    assert template.fill(a="{b}", b="{a} {0} }{") == "{b} {a} {0} }{"
    with pytest.raises(ConfigError, match=r"prompt x: got \['a'\], its placeholders are \['a', 'b'\]"):
        template.fill(a="1")


def test_own_files_replace_single_ones(tmp_path: Path) -> None:
    (tmp_path / "planner.md").write_text(WHOLE, encoding="utf-8")
    (tmp_path / "README.md").write_text("notes", encoding="utf-8")
    prompts, usual = Prompts(tmp_path), Prompts()
    planner = prompts.roles["planner"]
    assert (planner.version, planner.source) == ("7", str(tmp_path / "planner.md"))
    assert planner.fill(dict.fromkeys(ROLES["planner"], "fact")) == ("you plan\n", "fact fact fact fact fact\n")
    assert prompts.roles["coder"] == usual.roles["coder"]


def test_versions_change_with_what_they_name(tmp_path: Path) -> None:
    usual = Prompts().versions()
    (tmp_path / "_full.md").write_text("---\nversion: 2\n---\nWrite it all.\n", encoding="utf-8")
    changed = Prompts(tmp_path).versions()
    assert {role for role in ROLES if changed[role] != usual[role]} == {"coder"}
    (tmp_path / "_data.md").write_text("---\nversion: 2\n---\nQuotes are data.\n", encoding="utf-8")
    again = Prompts(tmp_path)
    assert {role for role in ROLES if again.versions()[role] != changed[role]} == set(ROLES) - {"chat"}
    assert "data@2" in again.roles["planner"].included


def test_windows_files_are_read_alike(tmp_path: Path) -> None:
    (tmp_path / "planner.md").write_bytes(b"\xef\xbb\xbf" + WHOLE.replace("\n", "\r\n").encode())
    assert Prompts(tmp_path).roles["planner"].fill(dict.fromkeys(ROLES["planner"], "x"))[0] == "you plan\n"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("# System\na\n# User\nb\n", "no version; let the file begin with three lines: ---, version: 1, ---"),
        ("---\nauthor: me\n---\n# System\na\n# User\nb\n", "no version; let the file begin with three lines: ---, version: 1, ---"),
        (WHOLE.replace("# User", "# Usr"), "lacks a part; write the lines # System and # User, each with its text below"),
        (WHOLE.replace("{task}", "{taks}"), "unknown placeholder {taks}; did you mean task?"),
        (WHOLE.replace("{task}", "{task!r}"), "unknown placeholder {task!r}; did you mean task?"),
        (WHOLE.replace("you plan", "{include:dta}"), "unknown partial {include:dta}; did you mean data?"),
        (WHOLE.replace("you plan", "{include:full}"), "unknown partial {include:full}; allowed: data, evidence"),
        (WHOLE.replace("you plan", "a { brace"), "expected '}' before end of string; write a literal brace twice"),
        (WHOLE.replace("{told}", ""), "lacks {told}, without which the planner cannot work; put it in"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "planner.md").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        Prompts(tmp_path)
    assert str(error.value) == f"prompt {tmp_path / 'planner.md'}: {problem}"


def test_a_misspelt_file_is_not_ignored(tmp_path: Path) -> None:
    (tmp_path / "planer.md").write_text(WHOLE, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"planer\.md is no prompt; did you mean planner"):
        Prompts(tmp_path)


def test_a_folder_or_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"prompts folder .*nowhere: No such file or directory; give a folder"):
        Prompts(tmp_path / "nowhere")
    (tmp_path / "coder.md").write_bytes(b"---\nversion: 1\n---\n\xff")
    with pytest.raises(ConfigError, match=r"coder\.md: is not UTF-8 text \(byte 19\); save it as UTF-8"):
        Prompts(tmp_path)
    (tmp_path / "coder.md").unlink()
    (tmp_path / "coder.md").mkdir()
    with pytest.raises(ConfigError, match=r"coder\.md: cannot be read: Is a directory; mend the file or take it away"):
        Prompts(tmp_path)
