"""``agentnas config``: settings and where each value comes from."""

from __future__ import annotations

from typing import Any

from agentnas.cli.options import Json
from agentnas.cli.output import emit, emit_json, say, table
from agentnas.cli.shell import COMMANDS, group_app
from agentnas.config import FIELDS, PROJECT_FILE, Resolved, format_duration, resolve, user_file

app = group_app(COMMANDS["config"].help)


@app.command()
def show(json: Json = False) -> None:
    """Every setting, its value, and where that comes from."""
    resolved = resolve()
    if json:
        emit_json({name: {"value": resolved.value(name), "origin": origin} for name, origin in resolved.origins.items()})
        return
    emit(table(("setting", "value", "from"), ((name, _shown(resolved, name), resolved.origins[name]) for name in FIELDS)))
    say(f"later wins: default, {user_file()}, ./{PROJECT_FILE}, AGENTNAS_<SETTING>, --<setting>")


def _shown(resolved: Resolved, name: str) -> Any:
    value = resolved.value(name)
    if value is None or value == ():
        return "none"
    if isinstance(value, tuple):
        return ",".join(one if isinstance(one, str) else str(one.get("name", "own")) for one in value)
    if isinstance(value, dict):
        return f"{value.get('name', 'own')} (its bounds stand there)"
    return format_duration(value) if name.endswith("time") else str(value)
