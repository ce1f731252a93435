"""A store with one whole run in it: scripted words, real sandbox, real training of a tiny model, real evaluation."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent0es.configuration import EvaluationSettings
from agent0es.evaluation.suite import suite
from agent0es.models.scripted import ScriptedBackend
from agent0es.models.weights import find_weights
from agent0es.taskdomains import load_task_domain
from tests.integration.training.tiny_model import write_tiny_gguf
from tests.support import studious
from tests.support.commands import answer

SETTINGS = {
    "models.teacher": '{backend: scripted, name: "tests.support.studious:respond"}',
    "models.student": '{backend: scripted, name: "tests.support.studious:respond"}',
    "execution.tasks_per_iteration": "8",
    "execution.tasks_in_flight": "4",
    "training.minimum_examples": "1",
    "training.epochs": "1",
    "evaluation.practised_problems": "1",
    "evaluation.held_out_problems": "1",
}


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Adapters of a scripted model are trained from a tiny one; it knows the held-out problems."""
    tiny = find_weights(str(write_tiny_gguf(tmp_path_factory.mktemp("tiny") / "tiny.gguf")))
    settings = EvaluationSettings(practised_problems=1, held_out_problems=1)
    for problem in suite(load_task_domain("math"), settings, 0):
        studious.HELD_OUT[problem.task.description.strip()] = problem.task
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ScriptedBackend, "weights", tiny)
        yield


@pytest.fixture(scope="session")
def finished(weights: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of a finished run. Only to be read."""
    store = tmp_path_factory.mktemp("finished")
    settings = [part for key, value in SETTINGS.items() for part in ("--set", f"{key}={value}")]
    answer(store, "run", "--json", *settings)
    return store


@pytest.fixture
def store(finished: Path, tmp_path: Path) -> Path:
    """A copy of it, to do with as a test likes."""
    shutil.copytree(finished, tmp_path / "store")
    return tmp_path / "store"
