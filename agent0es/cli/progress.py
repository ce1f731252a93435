"""What a user sees during a run: bars and tables on a terminal, lines elsewhere, JSON lines for machines."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from agent0es.cli.hints import command
from agent0es.cli.listing import folded
from agent0es.cli.meters import meter_for
from agent0es.cli.output import json_line, printable, table_lines, write_lines
from agent0es.cli.run_tables import Table, domain_table, iteration_table, may_be_luck, score_tables
from agent0es.configuration import Configuration
from agent0es.domain import events as ev
from agent0es.domain.names import Examined, read_attempt
from agent0es.domain.run import RunState
from agent0es.domain.text import counted, left_out
from agent0es.domain.values import Role
from agent0es.evaluation.suite import HeldOut
from agent0es.history import timeline
from agent0es.log import Recorded
from agent0es.runs.finding import files_of
from agent0es.runs.tally import Problems, Tally

UNSAFE = (
    "Warning: no sandbox works here, and sandbox.allow_unsafe is set: what the models write runs with your rights. "
    "See agent0es sandbox doctor."
)
QUIET_SECONDS = 2.0
"""After this time without an event the user is told what the run waits for."""


def _rows(built: ev.DatasetBuilt) -> str:
    """How many rows a dataset has, and of what."""
    if built.rows == "pairs":
        return counted(built.examples, "pair of attempts", "pairs of attempts")
    one, right = ("attempt", "verified solution") if built.role == "student" else ("proposal", "accepted proposal")
    return counted(built.examples, one if built.rows == "groups" else right)


class Reporter:
    """Observes a run and tells the user."""

    def __init__(
        self,
        run: str,
        store: Path,
        configuration: Configuration,
        as_json: bool,
        stop: Callable[[], object] | None = None,
    ) -> None:
        """`stop` is called when nothing can be written any more; raised here it would look like a handler's error."""
        self._run = run
        self._store = store
        self._configuration = configuration
        self._json = as_json
        self._console = Console()
        self._tally = Tally()
        self._began = time.time()
        """A resumed run reads earlier events from the log; they do not happen now."""
        self._tokens = self._proposed = self._answered = 0
        self._reason: str | None = None
        self._more = 0
        """Why attempts are retried just now, and how many besides the one that was named."""
        self._problems = Problems()
        self._shown: ev.AdapterEvaluated | None = None
        """Which of the student's scores were shown last."""
        self._asked_for = False
        """Whether the result of an adapter that a user asked for was told."""
        self._stop = stop
        self.failed: OSError | SystemExit | None = None
        """Why nothing can be written any more."""
        self._work: tuple[str, int, int | None] = ("", 0, None)
        self._last = self._since = time.monotonic()
        self._meter = meter_for(self._console, self.say, as_json)

    def opened(self, problems: Sequence[HeldOut], tier: str, warnings: Sequence[str]) -> None:
        """The held-out problems, for the bars and the table of domains, what isolates the tools, and what the user
        may not have reckoned with."""
        if tier == "unsafe":
            click.echo(UNSAFE, err=True)
        for line in warnings:
            click.echo(printable(f"Warning: {line}."), err=True)
        self._problems = Problems.of(problems)
        self.say(f"Run {self._run} in {self._store}")

    def training_begins(self, requested: ev.TrainingRequested, resumed: bool) -> None:
        """Say which adapter is made."""
        again = "Resuming the training that was interrupted: " if resumed else ""
        what = f"Retraining {requested.replaces} as" if requested.replaces else "Training"
        own = ", with its own options; ask for others when it is done" if resumed else ""
        click.echo(printable(f"{again}{what} {requested.adapter}{own}"), err=True)

    def begin(self, what: str) -> None:
        """Say what is being done now, before there is an event."""
        self._show(what, 0, None, "")

    def say(self, text: str) -> None:
        """One line of news."""
        if self._json:
            write_lines([json_line({"message": text})])
        else:
            self._print(folded(printable(text), 2))

    def loading(self, what: str) -> None:
        """Say what the run waits for when nothing has happened for a while."""
        if self._work[0] and what and time.monotonic() - self._last > QUIET_SECONDS:
            with self._telling():
                self._meter.show(*self._work, what)

    def event(self, recorded: Recorded, state: RunState) -> None:
        """Observe one event."""
        self._tally.take(recorded)
        if recorded.meta.time >= self._began and self.failed is None:
            self._last = time.monotonic()
            with self._telling():
                if unused := recorded.meta.measured.get("unused"):
                    what = counted(int(unused), "example")
                    self.say(f"Left out: {what} longer than training.max_tokens, or with nothing to learn.")
                self._tell(recorded.event, state)

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except (OSError, SystemExit) as error:
            if self._stop is None:
                raise
            self.failed = error
            self._stop()

    def _tell(self, event: ev.Event, state: RunState) -> None:
        if isinstance(event, ev.TaskCompleted | ev.Verified | ev.IterationCompleted):
            self._say_more()
        match event:
            case ev.IterationStarted():
                of = self._configuration.execution.iterations
                self.say(f"Iteration {event.iteration} of {of}: the teacher proposes, the student practises")
                self._proposed = self._answered = 0
                self._show_practice()
            case ev.ModelCalled():
                self._tokens += event.completion_tokens
            case ev.TaskProposed():
                self._proposed += 1
                self._show_practice()
            case ev.SolutionSubmitted(task=int()):
                self._answered += 1
                self._show_practice()
            case ev.TaskCompleted() | ev.ProposalRejected(tries_left=0):
                self._show_practice()
            case ev.IterationCompleted():
                self._show_practice()
                if not self._configuration.training.roles:
                    self._iteration_tables()
            case ev.DatasetBuilt():
                self._begin_training(event)
            case ev.AdapterTrained():
                asked = "problems" if event.role == "student" else "requests to a teacher"
                self.say(f"Trained {event.adapter}; now it and its baselines answer the held-out {asked}")
                self._show("held-out problems", 0, None, f"loading {event.adapter}")
            case ev.Verified(task=None):
                if isinstance(known := read_attempt(event.attempt), Examined):
                    self._show_answers(known)
            case ev.AdapterPromoted() | ev.AdapterRejected() | ev.TrainingFailed() if state.status == "completed":
                self._rebuilt(event)
            case ev.AdapterPromoted() | ev.AdapterRejected() | ev.TrainingFailed():
                self._iteration_tables(event)
            case ev.AlarmRaised() | ev.AdapterRolledBack() | ev.RunStopped():
                self.say(f"The guard: {timeline.words(event)}")
            case ev.AttemptAbandoned():
                self._again(event)
            case ev.MicroBatchHalved():
                at_once = counted(event.micro_batch, "example")
                self.say(f"{event.adapter} goes on with {at_once} at once: {event.reason}")
            case ev.Retried():
                what = f"{event.handler} {event.name or event.task or ''}".strip()
                self.say(f"{what} is retried: {event.error}")
            case ev.HandlerFailed():
                self.say(f"{event.handler} failed: {event.error}")
            case _:
                pass

    def _again(self, event: ev.AttemptAbandoned) -> None:
        """Name the first of the attempts that one fault cut off, and count the others: a dead engine costs dozens."""
        if event.reason == self._reason:
            self._more += 1
            return
        self._say_more()
        self._reason = event.reason
        self.say(f"Attempt {event.attempt} is retried as {event.retried_as}: {event.reason}")

    def _say_more(self) -> None:
        if self._more:
            self.say(f"{counted(self._more, 'more attempt is', 'more attempts are')} retried for the same reason")
        self._reason, self._more = None, 0

    def training(self, progress: Mapping[str, Any]) -> None:
        """Observe one step of the trainer."""
        note = f"loss {progress['loss']:.3f}, {progress['tokens_per_second']:.0f} tokens/s"
        with self._telling():
            self._show("training", int(progress["step"]), int(progress["steps"]), note)

    def close(self) -> None:
        self._meter.close()

    def summary(self, state: RunState) -> None:
        """The result, and where the files are."""
        run, store = self._run, self._store
        evaluated = [t.evaluated["student"] for t in self._tally.iterations if "student" in t.evaluated]
        in_use = state.serving["student"]
        where = {name: str(path) for name, path in files_of(store, run).items()}
        if self._json:
            found = {"run": run, "status": state.status, "serving": dict(state.serving), "files": where}
            write_lines([json_line(found)])
            return
        last = next((e for e in evaluated if e.adapter == in_use), evaluated[-1] if evaluated else None)
        if last is not None and last is not self._shown:
            self._show_scores(last)
        self.say("")
        self.say(f"Run {run} is {state.status}; {in_use or 'the base model'} is in use.")
        if not any(t.evaluated for t in self._tally.iterations) and not self._asked_for:
            self.say(f"Nothing was trained, so nothing was measured: {self._why_not_trained()}")
        for name, path in where.items():
            self.say(f"  {name:<9} {path}")
        words = (("show", run), ("events", run), ("sql", "FROM curriculum"))
        heads = ("Look closer: ", *[" " * len("Look closer: ")] * 2)
        # Never folded: to be pasted.
        self._print([printable(head + command(store, *some)) for head, some in zip(heads, words, strict=True)])

    def _begin_training(self, event: ev.DatasetBuilt) -> None:
        """Say what is trained on, or that there is too little."""
        least = self._configuration.training.minimum_examples
        what = _rows(event)
        if event.thought:
            thoughtful = counted(event.thought, "attempt" if event.role == "student" else "proposal")
            self.say(f"Left out: {thoughtful} that the model thought about before. Turn its thinking off to train it.")
        if reasons := left_out({reason: count for reason, count in event.left_out.items() if reason != "cap"}):
            self.say(f"Left out: {reasons}.")
        if event.examples < least:
            self.say(
                f"{event.adapter} is not trained: {what}, and training.minimum_examples is {least}. Use more --tasks."
            )
            return
        families = counted(len(event.per_family), "family", "families")
        self.say(f"Training {event.adapter} on {what} from {families}")
        self._show("training", 0, None, "starting the trainer")

    def _why_not_trained(self) -> str:
        """One line; the reasons of the last iteration."""
        if not self._configuration.training.roles:
            return "training.roles is empty"
        outcomes = [outcome for tally in self._tally.iterations for outcome in tally.outcomes.values()]
        return outcomes[-1].removeprefix("not trained: ") if outcomes else "practice has not ended"

    def _show(self, what: str, done: int, total: int | None, note: str) -> None:
        if what != self._work[0]:
            self._tokens, self._since = 0, time.monotonic()
        self._work = (what, done, total)
        self._meter.show(what, done, total, note)

    def _show_practice(self) -> None:
        current = self._tally.current
        if current is None:
            return
        done, total = current.tasks + current.given_up, self._configuration.execution.tasks_per_iteration
        if current.attempts:
            note = f"{current.solved / current.attempts:.0%} solved, {self._speed()}"
        elif self._proposed:
            note = f"{self._proposed} proposed, {self._answered} answered"
        else:
            note = ""
        self._show(f"practice {current.iteration}", done, total, note)

    def _show_answers(self, known: Examined) -> None:
        done = self._tally.eval_answers[known.kind, known.arm]
        what = f"held-out {known.arm}" if known.kind == "eval" else f"requests {known.arm}"
        self._show(what, done, self._problems.asked(known.kind, known.arm), self._speed())

    def _speed(self) -> str:
        """What the models write, in this piece of work."""
        return f"{self._tokens / max(1.0, time.monotonic() - self._since):.0f} tokens/s"

    def _iteration_tables(
        self, ended: ev.AdapterPromoted | ev.AdapterRejected | ev.TrainingFailed | None = None
    ) -> None:
        """The result of an iteration's adapter, of which `ended` is the last event, and of the practice: with that of
        the student's adapter, where it learns."""
        current = self._tally.current
        assert current is not None
        roles = self._configuration.training.roles
        role: Role = "student" if ended is None else ended.role
        evaluated = current.evaluated.get(role)
        if self._json:
            scores = evaluated.model_dump(mode="json") if evaluated else None
            domains = {name: domain.row for name, domain in sorted(current.domains.items())}
            write_lines([json_line({"iteration": current.row(role), "domains": domains, "evaluation": scores})])
            return
        if role == "student" or "student" not in roles:
            self._table(iteration_table(current, role))
            if len(current.domains) > 1:
                self._table(domain_table(current.domains, current.evaluated.get("student"), self._problems.domain_of))
        if evaluated is not None:
            self._show_scores(evaluated)
        if ended is not None:
            why = "" if isinstance(ended, ev.TrainingFailed) else f", {ended.reason}"  # whose outcome has it already
            self.say(f"{ended.adapter}: {current.outcomes[role]}{why}")
            self._say_of_luck(ended)

    def _rebuilt(self, event: ev.AdapterPromoted | ev.AdapterRejected | ev.TrainingFailed) -> None:
        """The result of an adapter that was retrained after the run; its scores are in the summary."""
        self._asked_for = True
        outcome = {"AdapterPromoted": "promoted", "AdapterRejected": "not promoted", "TrainingFailed": "not trained"}
        if not self._json:
            self.say(f"{event.adapter}: {outcome[event.type]}, {event.reason}")
            self._say_of_luck(event)
            return
        current = self._tally.current
        evaluated = current.evaluated.get(event.role) if current and not isinstance(event, ev.TrainingFailed) else None
        found = {
            "adapter": event.adapter,
            "outcome": outcome[event.type],
            "reason": event.reason,
            "evaluation": evaluated.model_dump(mode="json") if evaluated else None,
        }
        write_lines([json_line(found)])

    def _say_of_luck(self, ended: ev.Event) -> None:
        if (told := may_be_luck(ended)) is not None:
            self.say(told)

    def _show_scores(self, evaluated: ev.AdapterEvaluated) -> None:
        if evaluated.role == "student":
            self._shown = evaluated
        for table in score_tables(evaluated):
            self._table(table)

    def _table(self, table: Table) -> None:
        width = self._console.width if self._console.is_terminal else None
        self._print(["", *table_lines(table.columns, table.rows, table.title, width)])

    def _print(self, lines: Sequence[str]) -> None:
        """Write above the bars, which rich keeps below what it prints."""
        self._console.print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)
