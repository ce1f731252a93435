"""Figures as event files of TensorBoard: a folder for the run, and one in it for each adapter."""

import fcntl
import os
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from agent0es.domain.names import in_store
from agent0es.errors import NotInstalled, StoreError
from agent0es.runs.exporting_metrics import Figure, Subject

Point = tuple[str, int, float]
"""Name, step and time: what a figure is known by."""
EXACT = 2**53
"""From here on a double has no digit for each integer."""


class TensorBoard:
    """A folder that TensorBoard shows: `tensorboard --logdir FOLDER`."""

    def __init__(self, folder: Path) -> None:
        """Raises NotInstalled."""
        try:
            import tensorboard  # noqa: F401
        except ModuleNotFoundError as error:
            raise NotInstalled(
                f"--tensorboard needs {error.name}, which is not installed; in a checkout: pip install '.[tensorboard]'"
            ) from None
        self._folder = folder
        self._files = ExitStack()
        self._open: dict[Path, Any] = {}
        self._there: dict[Path, set[Point]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._files.close()

    def __str__(self) -> str:
        return str(self._folder)

    def take(self, subject: Subject, figures: Sequence[Figure]) -> int:
        """As `Target` has it; TensorBoard doesn't ask how a subject stands. Raises StoreError."""
        from tensorboard.compat.proto.summary_pb2 import Summary

        folder = in_store(self._folder, subject.run, *([subject.adapter] if subject.adapter else []))
        try:
            if folder not in self._there:
                self._be_alone(folder)
                self._there[folder] = set(_points(folder))
                about = _configuration(subject) if subject.adapter is None else _settings(subject)
                self._write(folder, {(about.tag, 0, subject.began): about})
            values = {
                (figure.name, figure.step, figure.time): Summary.Value(tag=figure.name, simple_value=figure.value)
                for figure in figures
            }
            return self._write(folder, values)
        except OSError as error:
            raise StoreError(
                f"{error.filename or folder}: {error.strerror or error}; name another folder with --tensorboard"
            ) from None

    def _be_alone(self, folder: Path) -> None:
        """Until the end. Two who write what they don't find there would write it twice. Raises StoreError."""
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY)
        self._files.callback(os.close, descriptor)
        with suppress(OSError):  # a file system without locks
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StoreError(
                    f"{folder}: another export is writing there; wait for its end, or name another folder with "
                    "--tensorboard"
                ) from None

    def _write(self, folder: Path, values: Mapping[Point, Any]) -> int:
        """Those that are not there yet. Returns how many."""
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        new = {point: value for point, value in values.items() if point not in self._there[folder]}
        if new and folder not in self._open:
            self._open[folder] = self._files.enter_context(_new_file(folder))
            self._open[folder].write(Event(wall_time=time.time(), file_version="brain.Event:2").SerializeToString())
        for (_, step, when), value in new.items():
            event = Event(wall_time=when, step=step, summary=Summary(value=[value]))
            self._open[folder].write(event.SerializeToString())
        if new:
            self._open[folder].flush()
        self._there[folder] |= new.keys()
        return len(new)


def _new_file(folder: Path) -> Any:
    """A file for records, under a name that sorts after those of earlier exports, as TensorBoard reads them."""
    from tensorboard.summary.writer.record_writer import RecordWriter

    now = time.time_ns()
    name = f"events.out.tfevents.{now // 10**9:010d}.{socket.gethostname()}.{os.getpid()}.{now}"
    return closing(RecordWriter((folder / name).open("xb")))


def _points(folder: Path) -> Iterator[Point]:
    """What is in a folder's files. A record that a kill cut off is not; neither is it for TensorBoard."""
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    for file in sorted(folder.glob("events.out.tfevents.*")):
        for event in EventFileLoader(str(file)).Load():
            for value in event.summary.value:
                yield value.tag, event.step, event.wall_time


def _settings(subject: Subject) -> Any:
    """Those of a training, for the comparison of trainings."""
    from tensorboard.plugins.hparams.summary_v2 import hparams_pb  # `hparams.api`, which has it too, needs TensorFlow

    exact = {
        key: str(value) if isinstance(value, int) and abs(value) > EXACT else value
        for key, value in subject.parameters.items()
    }
    [value] = hparams_pb(exact, f"{subject.run}/{subject.adapter}", subject.began).value
    return value


def _configuration(subject: Subject) -> Any:
    """A run's, as a text: its 200 keys would hide the settings of trainings."""
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.compat.proto.tensor_pb2 import TensorProto
    from tensorboard.plugins.text.metadata import create_summary_metadata

    lines = [f"    {key}: {' '.join(str(value).splitlines())}" for key, value in subject.parameters.items()]
    text = "\n".join(lines).encode("utf-8", "replace")
    return Summary.Value(
        tag="configuration",
        metadata=create_summary_metadata("configuration", "What the run was started with."),
        tensor=TensorProto(dtype="DT_STRING", string_val=[text]),
    )
