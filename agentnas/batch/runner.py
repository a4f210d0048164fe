"""The night: starts jobs as slots come free, collects how they end, tries crashed ones again, and ends in time.

One thread that looks around several times a second. Every decision is in the journal before it takes effect, so that a process that is
killed here loses nothing: whoever resumes finds the jobs that still run by their locks, and goes on.
"""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from agentnas.batch import journal as ev
from agentnas.batch import shares, words
from agentnas.batch.checking import Checked, Plan, claim, ordered
from agentnas.batch.folder import job_folder, job_run, runs_dir
from agentnas.batch.journal import BatchJournal, JobState, Outcome
from agentnas.batch.process import Exit, Process, exit_code, is_alive
from agentnas.config import format_duration
from agentnas.memory.view import JournalView
from agentnas.tools.errors import RunError

POLL_S = 0.2
# Who does not end when asked is asked again, which stops a design at once, and killed after that.
ASK_AGAIN_S, KILL_S = 30.0, 45.0
LONGEST_WAIT_S = 3600.0
# Of the time that is kept before the deadline, what jobs that should have ended by themselves are given to save what they have.
LAST_PART = 0.25
INTERRUPTED = 130
Say = Callable[[str], None]


@dataclass
class Asked:
    """A running job that was asked to stop: when, why, and when it is asked again and killed."""

    reason: str
    again: float
    kill: float
    times: int = 1


@dataclass
class Night:
    """Runs the jobs of a batch to their outcomes. ``changed`` is called when jobs have ended; ``stop`` ends the night in good order."""

    folder: Path
    journal: BatchJournal
    plan: Plan
    stop: threading.Event
    say: Say
    changed: Callable[[], None]
    processes: dict[str, Process] = field(default_factory=dict)
    asked: dict[str, Asked] = field(default_factory=dict)
    _costs: dict[tuple[str, int], float] = field(default_factory=dict)
    _has_news: bool = False

    def run(self) -> int:
        """Go on until every job has its outcome, or until asked to stop; returns the exit code. Raises RunError for a full disk, say."""
        self._adopt()
        try:
            while not self._is_over():
                self._collect()
                if self.stop.is_set():
                    self._ask(list(self.processes), "stop", self._now() + ASK_AGAIN_S, self._now() + KILL_S)
                else:
                    self._keep_deadline()
                    self._start_jobs()
                self._urge()
                self._tell_news()
                # A signal does not end a sleep; waiting for the event does.
                self.stop.wait(POLL_S) if not self.stop.is_set() else time.sleep(POLL_S)
        except BaseException:
            # Whatever ends this loop (a full disk, a second Ctrl-C): nothing is left behind that nobody watches.
            for process in self.processes.values():
                process.send(signal.SIGINT)
            raise
        return self._end()

    def _tell_news(self) -> None:
        """Once a look around, however many jobs have ended: what is told of a batch is drawn from all of its runs."""
        if self._has_news:
            self._has_news = False
            self.changed()

    @property
    def states(self) -> dict[str, JobState]:
        return self.journal.view.jobs

    @staticmethod
    def _now() -> float:
        return time.time()

    def _is_over(self) -> bool:
        if self.processes:
            return False
        return self.stop.is_set() or all(state.is_over for state in self.states.values())

    def _end(self) -> int:
        if not all(state.is_over for state in self.states.values()):
            self.journal.append(ev.BatchInterrupted(reason="asked to stop"))
            self.changed()
            return INTERRUPTED
        code = exit_code_of(self.states)
        self.journal.append(ev.BatchFinished(exit_code=code))
        self.changed()
        return code

    # What an earlier process left

    def _adopt(self) -> None:
        """Jobs that an earlier batch started: those that still run are ours now, of the others we learn how they ended."""
        for name, state in self.states.items():
            if state.running is None:
                continue
            where, attempt = job_folder(self.folder, name), state.running.attempt
            if is_alive(where):
                self.processes[name] = Process(where, attempt)
                self.say(f"{name}: still running, started by the batch that was killed; waiting for it")
            elif (code := exit_code(where, attempt)) not in (None, INTERRUPTED):
                self._ended(name, Exit(code))
            else:
                self._write_end(name, "cut_off", None, "its process ended together with the batch")

    # Ends

    def _collect(self) -> None:
        for name, process in list(self.processes.items()):
            if (ended := process.poll()) is not None:
                del self.processes[name]
                self._ended(name, ended)

    def _ended(self, name: str, ended: Exit) -> None:
        state, asked = self.states[name], self.asked.pop(name, None)
        assert state.running is not None
        found = words.outcome(ended.code)
        message = words.message(job_folder(self.folder, name), state.running.attempt, ended.code)
        if asked is not None and found not in ("designed", "no_design_fits", "budget_ended"):
            late = asked.reason == "deadline"
            self._write_end(name, "out_of_time" if late else "stopped", ended.code, "the deadline stopped it" if late else "")
        elif found is None or (ended.code == 4 and words.may_pass(self.plan.jobs[name])):
            self._crashed(name, state, ended.code, message)
        else:
            self._write_end(name, found, ended.code, "" if found == "designed" else message)

    def _crashed(self, name: str, state: JobState, code: int | None, message: str) -> None:
        """Try again later, twice as late each time, as often as is allowed and as the deadline lets."""
        night, allowed = self.journal.view.night, state.job.retries
        if state.failures >= (night.retries if allowed is None else allowed):
            self._write_end(name, "failed", code, message)
            return
        wait = min(LONGEST_WAIT_S, night.retry_wait * 2**state.failures)
        self._write_end(name, "retried", code, message, self._now() + wait)

    def _write_end(self, name: str, outcome: Outcome, code: int | None, message: str, retry_at: float | None = None) -> None:
        state = self.states[name]
        attempt = state.running.attempt if state.running else state.attempts
        self.journal.append(ev.JobEnded(job=name, attempt=attempt, outcome=outcome, code=code, message=message, retry_at=retry_at))
        again = f"; again in {format_duration(round(retry_at - self._now()))}" if retry_at is not None else ""
        self.say(f"{name}: {state.state}{f': {message}' if message else ''}{again}")
        self._has_news = True

    # Starts

    def _start_jobs(self) -> None:
        now = self._now()
        for found in self._waiting():
            if len(self.processes) >= self.plan.parallel:
                return
            state = self.states[found.job.name]
            if (state.retry_at is None or state.retry_at <= now) and self._fits(found.job.name):
                self._start(found, state)

    def _waiting(self) -> list[Checked]:
        open_ = {name for name, state in self.states.items() if not state.is_over and state.running is None}
        return [found for found in ordered(self.plan) if found.job.name in open_]

    def _fits(self, name: str) -> bool:
        used = sum(self.plan.workers[other] for other in self.processes if self.plan.jobs[other].device == "cpu")
        if self.plan.jobs[name].device == "cuda":
            return bool(self._free_gpus())
        return not used or used + self.plan.workers[name] <= shares.cores()

    def _free_gpus(self) -> list[str]:
        taken = {state.running.device for state in self.states.values() if state.running is not None}
        return [gpu for gpu in self.plan.gpus if gpu not in taken]

    def _start(self, found: Checked, state: JobState) -> None:
        name = found.job.name
        run = job_run(self.folder, name).run
        share = self._share(found, run.view if run else None)
        active = run.view.active_seconds if run else 0.0
        is_own = share is not None and found.most_s is not None and share >= found.most_s - active
        if share is not None and share < shares.LEAST_S and not is_own:
            self.journal.append(ev.JobDropped(job=name, message="no time was left before the deadline"))
            self.say(f"{name}: out of time before it began")
            self._has_news = True
            return
        begin = ev.JobStarted(
            job=name, attempt=state.attempts + 1, run=run.name if run else None, workers=self.plan.workers[name],
            time_s=active + share if share is not None and found.takes_time else None,
            max_cost=self._money(found, run.view if run else None),
            device=self._free_gpus()[0] if found.device == "cuda" else None,
        )  # fmt: skip
        self.journal.append(begin)
        where = job_folder(self.folder, name)
        line = words.command(found.job, begin, runs_dir(self.folder, name))
        try:
            self.processes[name] = Process.start(where, begin.attempt, line, words.environment(found.job, begin))
        except RunError as error:
            self._crashed(name, state, None, str(error))
            return
        limit = f", {format_duration(round(share))}" if share is not None and found.takes_time else ""
        self.say(f"{name}: {'resumed' if run else 'started'} (attempt {begin.attempt}{limit})")

    def _share(self, found: Checked, view: JournalView | None) -> float | None:
        """Active seconds that the job may take from now on; None where nothing bounds them."""
        active = view.active_seconds if view else 0.0
        deadline = self.journal.view.deadline
        if deadline is None:
            return None if found.most_s is None else found.most_s - active
        now = self._now()
        left = deadline - now
        others = [other for other in self._waiting() if other.job.name != found.job.name]
        claims = [claim(found, active), *map(claim, others)]
        busy = [self._busy(name, now, left) for name in self.processes]
        share = shares.time_shares(left - self._closing(deadline), claims, busy, self.plan.parallel)[0]
        # What is left of its own limit is no lack of the night's time.
        if found.most_s is not None and found.most_s - active <= share - shares.OVERHEAD_S + 1e-6:
            return found.most_s - active
        return share - shares.OVERHEAD_S

    def _busy(self, name: str, now: float, left: float) -> float:
        """Seconds that a running job may still take; one that only the deadline bounds is expected to take its even part."""
        started = self.states[name].running
        assert started is not None
        if started.time_s is None:
            return left / 2
        return min(left, max(0.0, started.at + started.time_s + shares.OVERHEAD_S - now))

    def _money(self, found: Checked, view: JournalView | None) -> float | None:
        """The limit of cost of the job's run, what it has spent before included; None where the job keeps its own."""
        total = self.journal.view.night.max_cost
        if total is None or not found.models:
            return None
        spent = {name: self._spent(name) for name in self.states}
        granted = [
            max(0.0, (state.running.max_cost or 0.0) - spent[name]) for name, state in self.states.items() if state.running is not None
        ]
        others = [other.job.priority for other in self._waiting() if other.models and other.job.name != found.job.name]
        before = view.calls.total.cost if view else 0.0
        own = found.resolved.config.max_cost
        own_left = None if own is None else max(0.0, own - before)
        return before + shares.money_share(total - math.fsum(spent.values()) - sum(granted), own_left, found.job.priority, others)

    def _spent(self, name: str) -> float:
        """US dollars that a job's run has cost; of one that does not run, it is read once."""
        state = self.states[name]
        key = name, state.attempts
        if not state.attempts or (state.running is None and key in self._costs):
            return self._costs.get(key, 0.0)
        run = job_run(self.folder, name).run
        self._costs[key] = run.view.calls.total.cost if run else 0.0
        return self._costs[key]

    # The deadline, and stopping

    def _keep_deadline(self) -> None:
        """Ask running jobs to save what they have some time before the deadline; drop those that have not begun.

        Jobs with a share of time end by themselves before that: they are left most of it, for a slow start or end.
        """
        deadline, now = self.journal.view.deadline, self._now()
        if deadline is None or now < deadline - (closing := self._closing(deadline)):
            return
        late = now >= deadline - closing * LAST_PART
        due = [name for name in self.processes if late or not self._ends_itself(name)]
        self._ask(due, "deadline", max(now, deadline), max(now, deadline) + KILL_S - ASK_AGAIN_S)
        for found in self._waiting():
            why = self.states[found.job.name].message or "the deadline came before it began"
            self.journal.append(ev.JobDropped(job=found.job.name, message=why))
            self._has_news = True

    def _ends_itself(self, name: str) -> bool:
        started = self.states[name].running
        return started is not None and started.time_s is not None

    def _closing(self, deadline: float) -> float:
        return shares.closing(max(0.0, deadline - self.journal.view.since))

    def _ask(self, names: list[str], reason: str, again: float, kill: float) -> None:
        for name in names:
            if name not in self.asked:
                self.asked[name] = Asked(reason, again, kill)
                self.say(f"{name}: {'the deadline is near' if reason == 'deadline' else 'stopping'}; it saves what it has")
                self.processes[name].send(signal.SIGINT)

    def _urge(self) -> None:
        now = self._now()
        for name, asked in self.asked.items():
            if name in self.processes and now > asked.kill:
                self.processes[name].kill()
            elif name in self.processes and now > asked.again and asked.times == 1:
                asked.times = 2
                self.processes[name].send(signal.SIGINT)


def exit_code_of(states: dict[str, JobState]) -> int:
    """0 every job found a design; 1 one failed; 3 one had no design that fits; 5 time or budget ended before one had a result."""
    outcomes = {state.outcome for state in states.values()}
    if outcomes & {"failed", "wrong_settings"}:
        return 1
    if "no_design_fits" in outcomes:
        return 3
    return 5 if outcomes != {"designed"} else 0
