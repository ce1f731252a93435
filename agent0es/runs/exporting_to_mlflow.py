"""Figures in MLflow: a run of MLflow for the run, and nested in it one for the training of each adapter."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from agent0es.configuration.secrets import url_without_secrets
from agent0es.domain.text import one_line
from agent0es.errors import NotInstalled, UserError
from agent0es.runs.exporting_metrics import Figure, Subject

if TYPE_CHECKING:
    from mlflow.entities import Run

Point = tuple[str, int, int]
"""Name, step and time in milliseconds: what a figure is known by."""
EXPERIMENT = "agent0es"
"""Where MLFLOW_EXPERIMENT_NAME names no other."""
MOST_FIGURES, MOST_PARAMETERS = 1000, 100
"""What MLflow takes at once."""
STATUS = {"running": "RUNNING", "completed": "FINISHED", "failed": "FAILED", "interrupted": "KILLED"}
UNLESS_SET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",  # nothing leaves the machine but to the target
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",  # 14 seconds; MLflow's own 7 would say nothing for minutes
}
"""Variables of the environment, which is where MLflow has its settings."""


class MLflow:
    """A tracking server of MLflow, or its database."""

    def __init__(self, uri: str) -> None:
        """Raises UserError, and NotInstalled."""
        self._shown = url_without_secrets(uri)
        if self._shown != uri:
            raise UserError(
                f"--mlflow {self._shown}: a command line is no place for a password; put it into "
                "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
            )
        for name, value in UNLESS_SET.items():
            os.environ.setdefault(name, value)
        try:
            from mlflow import MlflowClient
        except ModuleNotFoundError as error:
            raise NotInstalled(
                f"--mlflow needs {error.name}, which is not installed; in a checkout: pip install '.[mlflow]'"
            ) from None
        with self._explained():
            self._client = MlflowClient(tracking_uri=uri)
            self._experiment = self._find_experiment()
        self._runs: dict[str | None, str] = {}
        """Adapter to the id of its run in MLflow."""
        self._there: dict[str, set[Point]] = {}
        self._status: dict[str, str] = {}

    def __str__(self) -> str:
        return self._shown

    def take(self, subject: Subject, figures: Sequence[Figure]) -> int:
        """As `Target` has it. A nested run is taken after the one that it is in. Raises UserError."""
        from mlflow.entities import Metric

        with self._explained():
            if subject.adapter not in self._runs:
                self._begin(subject)
            run_id = self._runs[subject.adapter]
            there = self._there[run_id]
            new = {(figure.name, figure.step, round(1000 * figure.time)): figure.value for figure in figures}
            metrics = [
                Metric(name, value, time, step)
                for (name, step, time), value in new.items()
                if (name, step, time) not in there
            ]
            for first in range(0, len(metrics), MOST_FIGURES):
                self._client.log_batch(run_id, metrics=metrics[first : first + MOST_FIGURES])
            there |= new.keys()
            self._say_how_it_stands(run_id, subject)
        return len(metrics)

    def _find_experiment(self) -> str:
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT
        found = self._client.get_experiment_by_name(name)
        experiment: str = self._client.create_experiment(name) if found is None else found.experiment_id
        return experiment

    def _begin(self, subject: Subject) -> None:
        """Find or make the subject's run, with its parameters, and learn what is there."""
        from mlflow.entities import Param

        outer = None if subject.adapter is None else self._runs[None]
        run = self._find(subject, outer) or self._client.create_run(
            self._experiment,
            start_time=round(1000 * subject.began),
            tags={"agent0es.run": subject.run, "agent0es.event": subject.event_id}
            | ({"mlflow.parentRunId": outer} if outer else {}),
            run_name=subject.run if subject.adapter is None else f"{subject.run}/{subject.adapter}",
        )
        run_id = self._runs[subject.adapter] = run.info.run_id
        self._status[run_id] = run.info.status
        parameters = [Param(key, str(value)) for key, value in subject.parameters.items() if key not in run.data.params]
        for first in range(0, len(parameters), MOST_PARAMETERS):
            self._client.log_batch(run_id, params=parameters[first : first + MOST_PARAMETERS])
        self._there[run_id] = {
            (metric.key, metric.step, metric.timestamp)
            for key in run.data.metrics
            for metric in self._client.get_metric_history(run_id, key)
        }

    def _find(self, subject: Subject, outer: str | None) -> "Run | None":
        """By the event that it began with, which a run of the same name in another store has not."""
        wanted = f"tags.`agent0es.event` = '{subject.event_id}'"
        nested = f" AND tags.`mlflow.parentRunId` = '{outer}'" if outer else ""
        return next(iter(self._client.search_runs([self._experiment], wanted + nested, max_results=1)), None)

    def _say_how_it_stands(self, run_id: str, subject: Subject) -> None:
        status = STATUS[subject.status]
        if self._status[run_id] == status:
            return
        if subject.status == "running":
            self._client.update_run(run_id, status)
        else:
            self._client.set_terminated(run_id, status, round(1000 * subject.latest))
        self._status[run_id] = status

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """What MLflow raises, in one line."""
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError

        try:
            yield
        except ModuleNotFoundError as error:
            raise NotInstalled(
                f"--mlflow {self._shown}: needs {error.name}, which is not installed; a database needs all of MLflow: "
                "pip install mlflow"
            ) from None
        except (MlflowException, SQLAlchemyError, OSError) as error:
            raise UserError(f"--mlflow {self._shown}: {one_line(str(error))}") from None
