"""The commands on an adapter's card say all that it takes to make it, and to measure it, again."""

import shlex
from collections.abc import Iterable
from typing import Any

import click
import pytest

from agent0es.cli.main import cli
from agent0es.configuration import Configuration, TrainingSettings, changed_configuration
from agent0es.domain import events as ev
from agent0es.provenance.again import measured_again, run_again, training_again
from agent0es.training.methods import with_learning_rate

CHANGES = (
    [],
    ["training.learning_rate=0.00001", "training.target_modules=[q_proj]", "training.rank=8"],
    ["training.method=dpo", "training.beta=0.2"],
)


def read(command: str) -> tuple[str, dict[str, Any]]:
    """What the command line makes of a command: the verb and its parameters."""
    program, verb, *words = shlex.split(command, comments=True)
    found = cli.get_command(click.Context(cli), verb)
    assert program == "agent0es" and found is not None
    return verb, found.make_context(verb, words).params


def configured(changes: Iterable[str]) -> Configuration:
    return changed_configuration(Configuration(), changes)


@pytest.mark.parametrize("changes", CHANGES)
def test_a_training_that_was_asked_for(changes: list[str]) -> None:
    before = configured(["training.roles=[student, teacher]", "training.epochs=3"])
    wanted = with_learning_rate(changed_configuration(before, changes).training)
    asked = ev.TrainingRequested(
        adapter="mine", role="teacher", iteration=1, replaces=None, settings=wanted.model_dump(mode="json")
    )
    verb, said = read(training_again(asked, before.model_dump(mode="json")))
    assert (verb, said["run"], said["role"], said["name"]) == ("train", "latest", "teacher", "mine")
    again = changed_configuration(before, said["overrides"]).training
    assert again == TrainingSettings.model_validate(asked.settings)
    _, said = read(training_again(asked.model_copy(update={"replaces": "teacher-1"}), {}))
    assert said["without_retracted"] is True and said["role"] is None


@pytest.mark.parametrize("changes", [*CHANGES, ["rewards.weights={correctness: 1}", "models.student.stop=['\"']"]])
def test_a_run(changes: list[str]) -> None:
    parent, child = Configuration(), configured([*changes, "seed=9"])
    known = {"configuration": child.model_dump(mode="json"), "code_version": "1", "weights": {}, "seed": 9}
    verb, said = read(run_again("r2", ev.RunForked(parent="r1", position=40, **known), parent.model_dump(mode="json")))
    assert (verb, said["run"], said["position"]) == ("fork", "r1", 40)
    assert changed_configuration(parent, said["overrides"]) == child
    line = run_again("r2", ev.RunStarted(**known), {})
    assert line == "agent0es config show r2 > run.yaml && agent0es run --config run.yaml    # seed 9"


@pytest.mark.parametrize(("suite", "option"), [("math,lcm", "suite"), ("it's mine\n```.jsonl", "file")])
def test_an_evaluation(suite: str, option: str) -> None:
    way = ev.Way(format="cot", shots=3, adapter="a", adapter_run="r", samples=4, temperature=0.6, max_tokens=400)
    own = Configuration()
    asked = configured(["seed=1", "curriculum.domains=[code]", "models.student.top_p=0.9", "tools.timeout_seconds=9"])
    started = ev.EvaluationStarted(
        suite=suite,
        way=way,
        seed=1,
        configuration=asked.model_dump(mode="json"),
        code_version="1",
        weights={},
        prompts={},
    )
    command = measured_again("r/a", started, 100, own.model_dump(mode="json"))
    verb, said = read(command)
    assert verb == "eval" and "\n" not in command and str(said[option]) == suite.replace("\n", " ")
    assert (said["adapter"], said["answer_format"], said["shots"], said["samples"], said["limit"]) == (
        *("r/a", "cot", 3, 4, 100),
    )
    again = changed_configuration(own, said["overrides"])
    assert again.seed == 1, "it draws the answers"
    assert (again.models, again.tools) == (asked.models, asked.tools) and again.curriculum == own.curriculum
