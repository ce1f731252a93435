"""What a user sees while a run goes on: bars on a terminal, lines elsewhere, JSON lines for machines."""

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from agent0es.cli.output import printable
from agent0es.cli.tally import DomainTally, Tally
from agent0es.configuration import Configuration
from agent0es.domain import events as ev
from agent0es.domain.run import RunState
from agent0es.evaluation.suite import HeldOut, count_by_split
from agent0es.handlers.evaluate import splits_of
from agent0es.log import Recorded

LINE_EVERY_SECONDS = 15.0
ARM_NAMES = {
    "base-zero-shot": "base model, zero-shot",
    "base-few-shot": "base model, worked examples of other families",
    "base-few-shot-led": "the same, its answer begun with `Action: python[`",
    "base-own-shots": "base model, worked examples of the same family",
}
SPLIT_NAMES = {"practised": "practised families, new problems", "held_out": "families never practised"}


class Meter(Protocol):
    """Shows how far a piece of work is."""

    def show(self, what: str, done: int, total: int, note: str) -> None: ...

    def close(self) -> None: ...


class Bars:
    """Rich progress bars with rate and time left."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description:<24}"),
            BarColumn(bar_width=32),
            MofNCompleteColumn(),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[note]}", style="dim"),
            console=console,
            transient=True,
        )
        self._progress.start()
        self._tasks: dict[str, TaskID] = {}

    def show(self, what: str, done: int, total: int, note: str) -> None:
        if what not in self._tasks:
            for task in self._tasks.values():
                self._progress.update(task, visible=False)
            self._tasks[what] = self._progress.add_task(what, total=total, note=note)
        self._progress.update(self._tasks[what], completed=done, total=total, note=note)

    def close(self) -> None:
        self._progress.stop()


class Lines:
    """A line now and then, where there is no terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._what = ""
        self._began = self._last = time.monotonic()
        self._base = 0

    def show(self, what: str, done: int, total: int, note: str) -> None:
        now = time.monotonic()
        if what != self._what:
            self._what, self._began, self._last, self._base = what, now, now, done
            return
        if now - self._last >= LINE_EVERY_SECONDS or done == total:
            self._last = now
            rate = (done - self._base) / max(1e-6, now - self._began)
            left = f", {(total - done) / rate:.0f} s left" if rate > 0 and done < total else ""
            self._console.print(f"{what}: {done}/{total}{left}{', ' + note if note else ''}", highlight=False)

    def close(self) -> None:
        pass


class JsonLines:
    """Nothing in between: the tables come as JSON lines."""

    def show(self, what: str, done: int, total: int, note: str) -> None:
        pass

    def close(self) -> None:
        pass


class Reporter:
    """Observes a run and tells the user."""

    def __init__(self, run: str, store: Path, configuration: Configuration, as_json: bool) -> None:
        self._run = run
        self._store = store
        self._configuration = configuration
        self._json = as_json
        self._console = Console()
        self._tally = Tally()
        self._began = time.time()
        self._tokens = 0
        self._problems: dict[str, int] = {}
        self._domain_of: dict[str, str] = {}
        self._meter: Meter = (
            JsonLines() if as_json else Bars(self._console) if self._console.is_terminal else Lines(self._console)
        )

    def expect(self, problems: Sequence[HeldOut]) -> None:
        """The held-out problems, for the bars and the table of domains."""
        self._problems = count_by_split(problems)
        self._domain_of = {problem.task.family: problem.task.domain for problem in problems}
        self.say(f"Run {self._run} in {self._store}")

    def say(self, text: str) -> None:
        """One line of news."""
        if self._json:
            self._emit({"message": text})
        else:
            self._console.print(text, markup=False, highlight=False)

    def __call__(self, recorded: Recorded, state: RunState) -> None:
        """Observe one event."""
        self._tally.take(recorded)
        if recorded.meta.time < self._began:  # read from the log by a resumed run, not happening now
            return
        if isinstance(recorded.event, ev.ModelCalled):
            self._tokens += recorded.event.completion_tokens
        event = recorded.event
        match event:
            case ev.IterationStarted():
                of = self._configuration.execution.iterations
                self.say(f"Iteration {event.iteration} of {of}: the teacher proposes, the student practises")
            case ev.TaskCompleted() | ev.ProposalRejected(tries_left=0):
                self._show_practice(state)
            case ev.IterationCompleted():
                self._show_practice(state)
                if not self._configuration.training.roles:
                    self._iteration_table()
            case ev.DatasetBuilt():
                families, least = len(event.per_family), self._configuration.training.minimum_examples
                what = "verified solutions" if event.role == "student" else "accepted proposals"
                if event.examples < least:
                    self.say(
                        f"{event.adapter} is not trained; {what} to learn from: {event.examples}, "
                        f"training.minimum_examples: {least}"
                    )
                else:
                    self.say(f"Training {event.adapter} on {event.examples} {what} from {families} families")
            case ev.AdapterTrained():
                self.say(f"Trained {event.adapter}; now it and its baselines answer the held-out problems")
            case ev.Verified(task=None):
                arm = event.attempt.split("/")[1]
                self._meter.show(f"held-out {arm}", self._tally.eval_answers[arm], self._total(arm), self._speed())
            case ev.AdapterPromoted() | ev.AdapterRejected() | ev.TrainingFailed() if state.status == "completed":
                self._rebuilt(event)
            case ev.AdapterPromoted() | ev.AdapterRejected() | ev.TrainingFailed():
                self._iteration_table()
            case ev.AttemptAbandoned():
                self.say(f"Attempt {event.attempt} is made again as {event.retried_as}: {printable(event.reason)}")
            case ev.Retried():
                what = f"{event.handler} {event.name or event.task or ''}".strip()
                self.say(f"{what} is tried again: {printable(event.error)}")
            case ev.HandlerFailed():
                self.say(f"{event.handler} failed: {printable(event.error)}")
            case _:
                pass

    def training(self, progress: Mapping[str, Any]) -> None:
        """Observe one step of the trainer."""
        note = f"loss {progress['loss']:.3f}, {progress['tokens_per_second']:.0f} tokens/s"
        self._meter.show("training", int(progress["step"]), int(progress["steps"]), note)

    def close(self) -> None:
        self._meter.close()

    def summary(self, state: RunState) -> None:
        """What was gained, and where everything lies."""
        run, store = self._run, self._store
        evaluated = [(t, t.evaluated) for t in self._tally.iterations if t.evaluated is not None]
        serving = state.serving["student"]
        where = {
            "log": str(store / "log.db"),
            "adapters": str(store / "adapters" / run),
            "datasets": str(store / "datasets" / run),
        }
        if self._json:
            self._emit({"run": run, "status": state.status, "serving": dict(state.serving), "files": where})
            return
        if evaluated:
            last = next((e for _, e in evaluated if e.adapter == serving), evaluated[-1][1])
            self._score_table(last)
        self.say("")
        self.say(f"Run {run} is {state.status}; {serving or 'the base model'} serves.")
        if not evaluated:
            self.say(f"Nothing was evaluated, for no adapter was trained: {self._why_not_trained()}")
        for name, path in where.items():
            self.say(f"  {name:<9} {path}")
        self.say(f"Look closer: agent0es show {run}, agent0es events {run}, agent0es sql 'FROM curriculum'")

    def _why_not_trained(self) -> str:
        """One line; the reasons of the last iteration."""
        if not self._configuration.training.roles:
            return "training.roles is empty"
        outcomes = [tally.outcome for tally in self._tally.iterations if tally.outcome]
        return outcomes[-1].removeprefix("not trained: ") if outcomes else "practice did not come so far"

    def _show_practice(self, state: RunState) -> None:
        current = self._tally.current
        if current is None:
            return
        rate = f"{current.solved / current.attempts:.0%} solved, " if current.attempts else ""
        total = self._configuration.execution.tasks_per_iteration
        self._meter.show(f"practice {current.iteration}", current.tasks + current.given_up, total, rate + self._speed())

    def _speed(self) -> str:
        return f"{self._tokens / max(1.0, time.time() - self._began):.0f} tokens/s"

    def _total(self, arm: str) -> int:
        """Problems that an arm is asked."""
        return sum(self._problems[split] for split in splits_of(arm))

    def _iteration_table(self) -> None:
        current = self._tally.current
        assert current is not None
        if self._json:
            scores = current.evaluated.model_dump(mode="json") if current.evaluated else None
            domains = {name: domain.row for name, domain in sorted(current.domains.items())}
            self._emit({"iteration": current.row, "domains": domains, "evaluation": scores})
            return
        row = current.row
        table = Table(title=f"Iteration {current.iteration}", title_justify="left")
        for column in ("tasks", "solved", "used a tool", "difficulty", "student reward", "teacher reward", "examples"):
            table.add_column(column, justify="right")
        table.add_row(
            str(row["tasks"]),
            f"{row['solve_rate']:.1%}",
            f"{row['tool_use']:.1%}",
            f"{row['difficulty']:.2f}",
            f"{row['student_reward']:.3f}",
            f"{row['teacher_reward']:.3f}",
            str(row["examples"]),
        )
        self._console.print(table)
        if len(current.domains) > 1:
            self._domain_table(current.domains, current.evaluated)
        if current.evaluated is not None:
            self._score_table(current.evaluated)
        if current.outcome:
            self.say(f"student-{current.iteration}: {current.outcome}")

    def _domain_table(self, domains: Mapping[str, DomainTally], evaluated: ev.AdapterEvaluated | None) -> None:
        """A line for each domain: its practice, and what each arm solved of its held-out problems."""
        scores = evaluated.scores if evaluated else ()
        arms = list(dict.fromkeys(score.arm for score in scores if "few-shot" not in score.arm))
        table = Table(title="By domain: practice, and held-out problems solved", title_justify="left")
        table.add_column("domain")
        for column in ("tasks", "solved", "difficulty", *arms):
            table.add_column(column, justify="right")
        for name, tally in sorted(domains.items()):
            row = tally.row
            shares = []
            for arm in arms:
                counts = [
                    count
                    for score in scores
                    if score.arm == arm
                    for family, count in score.by_family.items()
                    if self._domain_of.get(family) == name
                ]
                shares.append(f"{sum(solved for solved, _ in counts)}/{sum(asked for _, asked in counts)}")
            table.add_row(name, str(row["tasks"]), f"{row['solve_rate']:.1%}", f"{row['difficulty']:.2f}", *shares)
        self._console.print(table)

    def _rebuilt(self, event: ev.AdapterPromoted | ev.AdapterRejected | ev.TrainingFailed) -> None:
        """What became of an adapter that was trained anew after the run; its scores are in the summary."""
        outcome = {"AdapterPromoted": "promoted", "AdapterRejected": "not promoted", "TrainingFailed": "not trained"}
        if not self._json:
            self.say(f"{event.adapter}: {outcome[event.type]}, {event.reason}")
            return
        current = self._tally.current
        evaluated = current.evaluated if current and not isinstance(event, ev.TrainingFailed) else None
        self._emit(
            {
                "adapter": event.adapter,
                "outcome": outcome[event.type],
                "reason": event.reason,
                "evaluation": evaluated.model_dump(mode="json") if evaluated else None,
            }
        )

    def _score_table(self, evaluated: ev.AdapterEvaluated) -> None:
        """Held-out scores: each arm on each split, and what the adapter's lead is worth."""
        leads = {(c.split, c.baseline): c for c in evaluated.comparisons}
        for split, title in SPLIT_NAMES.items():
            table = Table(title=f"Held-out: {title}", title_justify="left")
            table.add_column("who answers")
            for column in ("solved", "share", "95% interval", f"{evaluated.adapter} is ahead by", "p"):
                table.add_column(column, justify="right")
            for score in evaluated.scores:
                if score.split != split:
                    continue
                lead = leads.get((score.split, score.arm))
                table.add_row(
                    ARM_NAMES.get(score.arm, f"{score.arm}, zero-shot"),
                    f"{score.correct}/{score.problems}",
                    f"{score.correct / score.problems:.3f}",
                    f"{score.low:.3f} to {score.high:.3f}",
                    f"{lead.difference:+.3f} ({lead.low:+.3f} to {lead.high:+.3f})" if lead else "",
                    f"{lead.p_value:.2g}" if lead else "",
                )
            self._console.print(table)

    def _emit(self, line: Mapping[str, Any]) -> None:
        print(json.dumps(line, ensure_ascii=False), flush=True)
