"""A store with one whole run in it: scripted words, real sandbox, real training of a tiny model, real evaluation.

A few families are practised and asked, here and by the commands that the tests give.
"""

import shutil
from pathlib import Path

import pytest

from agent0es.configuration import EvaluationSettings
from agent0es.evaluation.suite import suite
from tests.integration.training.tiny_model import write_tiny_gguf
from tests.support import studious
from tests.support.commands import answer
from tests.support.few_families import FewFamilies, load_few_families

SETTINGS = {
    "execution.tasks_per_iteration": "10",
    "execution.tasks_in_flight": "4",
    "training.minimum_examples": "1",
    "training.epochs": "1",
    "evaluation.practised_problems": "1",
    "evaluation.held_out_problems": "1",
}


LOADED = "agent0es.taskdomains.load_task_domains"


@pytest.fixture(autouse=True)
def _few_families(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LOADED, load_few_families)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of a finished run, to be read only. Its adapters are trained from a tiny model, and know the held-out
    problems."""
    tiny = write_tiny_gguf(tmp_path_factory.mktemp("tiny") / "tiny.gguf")
    settings = EvaluationSettings(practised_problems=1, held_out_problems=1)
    for problem in suite({"math": FewFamilies()}, settings, 0):
        studious.HELD_OUT[problem.task.description.strip()] = problem.task
    store = tmp_path_factory.mktemp("finished")
    model = f'{{backend: scripted, name: "tests.support.studious:respond", options: {{weights: "{tiny}"}}}}'
    chosen = {"models.teacher": model, "models.student": model, **SETTINGS}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LOADED, load_few_families)
        answer(store, "run", "--json", *(part for key, value in chosen.items() for part in ("--set", f"{key}={value}")))
    return store


@pytest.fixture
def store(finished: Path, tmp_path: Path) -> Path:
    """A copy of it, to do with as a test likes."""
    shutil.copytree(finished, tmp_path / "store")
    return tmp_path / "store"
