"""Progress: a bar on a terminal, a line now and then elsewhere, nothing where JSON is written."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.text import Text

from agent0es.cli.output import write_lines

LINE_EVERY_SECONDS = 15.0


class Meter(Protocol):
    """Shows how far a piece of work is."""

    def show(self, what: str, done: int, total: int | None, note: str) -> None:
        """`done` of `total` units of the work `what`; None: not known. A new name starts a new bar."""
        ...

    def close(self) -> None: ...


class Bars:
    """A bar with the time it took and the time left. It moves by itself, also between updates."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            _Count(),
            _Times(),
            TextColumn("{task.fields[note]}", style="dim", markup=False),
            console=console,
            transient=True,
            expand=True,
        )
        self._progress.start()
        self._what = ""
        self._task: TaskID | None = None

    def show(self, what: str, done: int, total: int | None, note: str) -> None:
        if self._task is None or what != self._what:
            if self._task is not None:
                self._progress.remove_task(self._task)
            self._what, self._task = what, self._progress.add_task(what, total=total, completed=done, note=note)
        self._progress.update(self._task, completed=done, total=total, note=note)

    def close(self) -> None:
        self._progress.stop()


class _Count(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text("" if task.total is None else f"{task.completed:.0f}/{task.total:.0f}")


class _Times(ProgressColumn):
    def render(self, task: Task) -> Text:
        left = task.time_remaining if task.completed else None
        passed = _clock(task.elapsed or 0)
        return Text(f"{passed}, {_clock(left)} left" if left else passed)


class Lines:
    """Where there is no terminal: a line when a piece of work begins, every 15 seconds, and when it is done."""

    def __init__(self, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._say = say
        self._clock = clock
        self._what = ""
        self._began = self._last = clock()
        self._base = 0

    def show(self, what: str, done: int, total: int | None, note: str) -> None:
        now = self._clock()
        begins = what != self._what
        if begins:
            self._what, self._began, self._base = what, now, done
        elif now - self._last < LINE_EVERY_SECONDS and done != total:
            return
        self._last = now
        rate = (done - self._base) / max(1e-6, now - self._began)
        parts = [] if total is None else [f"{done}/{total}"]
        parts += [] if begins else [f"{_clock(now - self._began)} so far"]
        parts += [f"{_clock((total - done) / rate)} left"] if total and rate > 0 and done < total else []
        parts += [note] if note else []
        self._say(f"{what}: {', '.join(parts)}" if parts else what)

    def close(self) -> None:
        pass


class Silent:
    """Nothing: the tables come as JSON lines."""

    def show(self, what: str, done: int, total: int | None, note: str) -> None:
        pass

    def close(self) -> None:
        pass


def meter_for(console: Console, say: Callable[[str], None], as_json: bool) -> Meter:
    """What suits standard output."""
    if as_json:
        return Silent()
    return Bars(console) if console.is_terminal and not console.is_dumb_terminal else Lines(say)


@contextmanager
def announced(what: str, as_json: bool) -> Iterator[None]:
    """Say what is being done for as long as it takes."""
    console = Console()
    meter = meter_for(console, lambda text: write_lines([text]), as_json)
    meter.show(what, 0, None, "")
    try:
        yield
    finally:
        meter.close()


def _clock(seconds: float) -> str:
    """Seconds as 1:05, or 1:02:05."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
