"""The files that adapters learn from: chosen from the log, written into the store, and written again when lost."""

from pathlib import Path

from agent0es.configuration import Configuration
from agent0es.crash_points import reach
from agent0es.decisions.train import built, dataset_of, rows_of
from agent0es.domain import events as ev
from agent0es.domain.names import stream
from agent0es.errors import StoreError
from agent0es.log import History, NewEvent
from agent0es.log.sqlite import explain_os_error
from agent0es.models.artifacts import compare
from agent0es.projections.datasets import Dataset, dataset_file, events_of_dataset
from agent0es.projections.examples import Rows
from agent0es.taskdomains import Domains


class Datasets:
    """Those of a run."""

    def __init__(
        self,
        run: str,
        store: Path,
        history: History,
        configuration: Configuration,
        domains: Domains,
    ) -> None:
        self._run, self._store, self._history = run, store, history
        self._configuration, self._domains = configuration, domains

    def choose(self, role: ev.Role, iteration: int, adapter: str) -> NewEvent:
        """Choose what an adapter is to learn from, as of now, and write it into the store. Returns the event of it."""
        training = self._configuration.training
        rows = rows_of(training)
        dataset = self._of(role, iteration, None, rows)
        _write(dataset_file(self._store, self._run, adapter), dataset)
        reach("dataset.written")
        return NewEvent(
            stream("adapter", self._run, adapter), built(role, iteration, adapter, dataset, rows, training.method)
        )

    def file(self, chosen: ev.DatasetBuilt, position: int) -> Path:
        """The file of what was chosen at a position. Raises ValueError when the log gives other examples by now."""
        path = dataset_file(self._store, self._run, chosen.adapter)
        if compare(path, chosen.sha256)[0] != "same":
            dataset = self._of(chosen.role, chosen.iteration, position, chosen.rows)
            if dataset.sha256 != chosen.sha256:
                raise ValueError(f"the log gives other examples now ({dataset.sha256}) than when they were chosen")
            _write(path, dataset)
        return path

    def _of(self, role: ev.Role, iteration: int, position: int | None, rows: Rows) -> Dataset:
        """The examples of the practice up to the end of an iteration, without what was retracted up to `position`."""
        return dataset_of(
            role,
            events_of_dataset(self._history, iteration, position),
            self._domains,
            self._configuration,
            rows,
        )


def _write(path: Path, dataset: Dataset) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(dataset.jsonl)
    except OSError as error:
        raise StoreError(explain_os_error(error, path)) from None
