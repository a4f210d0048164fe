"""A conversation with a model: it calls tools until it has an answer, and its numbers are traced to what they returned."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from agentnas.agents.llm.talk import Ended, ToolCall, Turn, object_of, written_call
from agentnas.chat import session as se
from agentnas.chat.asking import Asking
from agentnas.chat.desk import Desk
from agentnas.chat.numbers import Known
from agentnas.chat.screen import Screen
from agentnas.chat.slash import TOOLS
from agentnas.chat.tool import LONGEST_RESULT, Result, shown_arguments
from agentnas.prompts.roles import RolePrompt
from agentnas.tools.errors import suggest

# Answers of the model to one thing that a person said, calls of tools included; wrong calls in a row; empty answers in a row.
MOST_STEPS = 16
MOST_WRONG = 3
MOST_EMPTY = 2
# Characters of earlier turns that are sent along; older ones are left out.
LONGEST_MEMORY = 120_000
EMPTY = "Your answer was empty. Answer the person in words, or call a tool."
BY_NAME = {tool.name: tool for tool in TOOLS}


@dataclass
class Heard:
    """One answer of the model, whole."""

    text: str = ""
    calls: tuple[ToolCall, ...] = ()
    end: Ended | None = None


@dataclass
class Conversation:
    """The turns so far, and what may be stated in them. ``write`` keeps what is said, ``state`` renders plan and run as they are now."""

    asking: Asking
    prompt: RolePrompt
    desk: Desk
    screen: Screen
    known: Known
    write: Callable[[se.AnyEntry], None]
    state: Callable[[], dict[str, str]]
    turns: list[Turn] = field(default_factory=list)

    def hear(self, text: str) -> None:
        """What the person says, answered on the screen. Raises LLMError, BudgetEndedError; KeyboardInterrupt leaves the turns whole."""
        values = self.state() | {"said": text}
        system, sent = self.prompt.fill(values)
        for value in values.values():
            self.known.learn(value)
        self.write(se.Said(text=text, sent=sent))
        self.turns.append(Turn("user", sent))
        try:
            self._answer(Turn("system", system))
        finally:
            self.complete()

    def _answer(self, system: Turn) -> None:
        wrong = empty = 0
        is_corrected = False
        for _ in range(MOST_STEPS):
            heard = self._heard(system)
            if heard.calls:
                wrong = 0 if self._run(heard.calls) else wrong + 1
                if wrong == MOST_WRONG:
                    return self._apologise(
                        f"{heard.calls[-1].name} was called wrongly {wrong} times: {self.turns[-1].text.splitlines()[0]}"
                    )
            elif not heard.text.strip():
                empty += 1
                if empty == MOST_EMPTY:
                    return self._apologise("the model gives no answer")
                self._tell(EMPTY)
            elif (made_up := self._flag(heard.text)) and not is_corrected:
                is_corrected = True
                self._tell(correction(made_up))
            else:
                return self._note_end(heard)
        return self._apologise(f"the model called tools {MOST_STEPS} times without an answer")

    def _heard(self, system: Turn) -> Heard:
        """One answer, shown as it comes. What was said until Ctrl-C or a fault is kept."""
        heard, shown = Heard(), Held(self.screen)
        calls: list[ToolCall] = []
        try:
            with closing(self._parts(system)) as parts:
                for part in parts:
                    if isinstance(part, str):
                        heard.text += part
                        shown.say(heard.text)
                    elif isinstance(part, ToolCall):
                        calls.append(part)
                    else:
                        heard.end = part
            written = written_call(heard.text, list(BY_NAME)) if not calls else None
            calls += [written] if written else []
            heard.text = "" if written else heard.text
            shown.end(heard.text)
        finally:
            self.screen.end()
            heard.calls = self._named(calls) if heard.end is not None else ()
            if heard.text or heard.calls:
                self._keep(heard)
        return heard

    def _named(self, calls: Iterable[ToolCall]) -> tuple[ToolCall, ...]:
        """The calls by names of our own: some servers begin anew to count in each answer."""
        return tuple(ToolCall(f"call_{len(self.turns)}_{i}", c.name, c.arguments) for i, c in enumerate(calls, start=1))

    def _parts(self, system: Turn) -> Any:
        return self.asking.answer([system, *recent(self.turns)], [tool.form for tool in TOOLS])

    def _keep(self, heard: Heard) -> None:
        text = heard.text if heard.end is not None else f"{heard.text} [interrupted]"
        self.turns.append(Turn("assistant", text, heard.calls))
        self.write(se.Answered(text=text, calls=tuple((c.id, c.name, c.arguments) for c in heard.calls)))
        if heard.calls and heard.text:
            self._flag(heard.text)

    def _run(self, calls: Iterable[ToolCall]) -> bool:
        """Call the tools in order; True if one of them could be called as it was."""
        results = [self._call(call) for call in calls]
        return any(result.is_run for result in results)

    def _call(self, call: ToolCall) -> Result:
        tool = BY_NAME.get(call.name)
        if tool is None:
            result = Result(f"There is no tool {call.name!r}; {suggest(call.name, BY_NAME)}", "no such tool", ok=False, is_run=False)
        else:
            self.desk.speaker = "model"
            try:
                result = tool.call(self.desk, call.arguments)
            finally:
                self.desk.speaker = "person"
        self.screen.tool(call.name, shown_arguments(_given(call.arguments)), result.short)
        self._return(call, result)
        return result

    def _return(self, call: ToolCall, result: Result) -> None:
        text = result.text if len(result.text) <= LONGEST_RESULT else f"{result.text[:LONGEST_RESULT]}\n[cut; ask for less]"
        if result.ok:  # an error repeats what it was given
            self.known.learn(text)
        self.turns.append(Turn("tool", text, call=call.id))
        self.write(se.Returned(call=call.id, tool=call.name, text=text, ok=result.ok))

    def _flag(self, text: str) -> list[str]:
        """Show the numbers that come from nowhere."""
        made_up = self.known.unverified(text)
        for number in made_up:
            self.screen.warn(f"unverified: {number} is in no tool result")
        return made_up

    def _tell(self, problem: str) -> None:
        self.turns.append(Turn("user", problem))
        self.write(se.Corrected(text=problem))

    def _note_end(self, heard: Heard) -> None:
        if heard.end is not None and heard.end.finish == "length":
            self.screen.warn("the answer was cut off at its longest; ask for the rest")

    def _apologise(self, why: str) -> None:
        text = f"Sorry, I could not do that: {why}. You can say it in other words, or use slash commands; /help lists them."
        self.screen.say(text)
        self.screen.end()
        self.turns.append(Turn("assistant", text))
        self.write(se.Answered(text=text))

    def complete(self) -> None:
        """Answer every call that was left without a result: servers refuse a conversation that has one."""
        done = {turn.call for turn in self.turns if turn.role == "tool"}
        left = [call for turn in self.turns[-2:] for call in turn.calls if call.id not in done]
        for call in left:
            self._return(call, Result("interrupted by the person", ok=False))

    def overhear(self, command: str, text: str) -> None:
        """A slash command of the person and what it printed: the model knows of it, and may state its numbers."""
        self.known.learn(f"{command}\n{text}")
        self.turns.append(overheard(command, text))


class Held:
    """Shows an answer as it comes; one that begins like JSON may be a call in writing, and waits for its end."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._shown = 0

    def say(self, whole: str) -> None:
        if not whole.lstrip().startswith(("{", "```json")) and whole.strip():
            self._screen.say(whole[self._shown :])
            self._shown = len(whole)

    def end(self, whole: str) -> None:
        self._screen.say(whole[self._shown :])


def correction(made_up: list[str]) -> str:
    """What the model is told of numbers from nowhere."""
    return (
        f"These are in no tool result of this conversation and in nothing that the person said: {', '.join(made_up)}. Write your answer"
        " again without them: call a tool that measures them, or leave them out. Do not calculate numbers yourself."
    )


def recent(turns: list[Turn]) -> list[Turn]:
    """The turns that fit, from something that the person said on."""
    room, begin = LONGEST_MEMORY, len(turns)
    for index in range(len(turns) - 1, -1, -1):
        room -= len(turns[index].text) + sum(len(call.arguments) for call in turns[index].calls)
        if room < 0 and begin < len(turns):
            break
        if turns[index].role == "user":
            begin = index
    return turns[begin:]


def overheard(command: str, text: str) -> Turn:
    """A slash command of the person, as the model is told of it."""
    return Turn("user", f"(The person called {command}, which printed:\n{text[:LONGEST_RESULT]})")


def restored(entries: Iterable[se.AnyEntry], known: Known) -> Iterator[Turn]:
    """The turns of a conversation that is continued; ``known`` takes in what may be stated."""
    for entry in entries:
        match entry:
            case se.Said():
                known.learn(f"{entry.text}\n{entry.sent}")
                yield Turn("user", entry.sent or entry.text)
            case se.Called():
                known.learn(f"{entry.command}\n{entry.text}")
                yield overheard(entry.command, entry.text)
            case se.Answered():
                yield Turn("assistant", entry.text, tuple(ToolCall(*call) for call in entry.calls))
            case se.Returned():
                known.learn(entry.text if entry.ok else "")
                yield Turn("tool", entry.text, call=entry.call)
            case se.Corrected():
                yield Turn("user", entry.text)
            case _:
                continue


def _given(arguments: str) -> Any:
    held = object_of(arguments or "{}")
    return arguments if held is None else held
