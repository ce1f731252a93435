"""Settings from all their sources: what they come to, and what is said of a wrong one, in the user's own words."""

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from agent0es.configuration import Configuration, load_configuration, loaded, parse_configuration
from agent0es.errors import ConfigurationError

LONGEST_LINE = 400


def refusal(
    *overrides: str, file: Path | None = None, environment: Mapping[str, str] | None = None, options: Any = ()
) -> str:
    """The one line that is said."""
    with pytest.raises(ConfigurationError) as raised:
        load_configuration(file, overrides, environment or {}, options)
    line = str(raised.value)
    assert line.isprintable() and len(line) < LONGEST_LINE, line[:LONGEST_LINE]
    return line


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("execution.attempts=0", "--set execution.attempts must be at least 1, not 0"),
        ("execution.attempts=65", "--set execution.attempts must be at most 64, not 65"),
        ("execution.attempts=2.5", "--set execution.attempts must be a whole number, not 2.5"),
        ("execution.attempts=yes", "--set execution.attempts: must be a number, not true"),
        ("execution.attempts=", "--set execution.attempts must be a whole number, not empty"),
        ("execution.deterministic=maybe", "--set execution.deterministic must be true or false, not 'maybe'"),
        ("training.learning_rate=0", "--set training.learning_rate must be more than 0, not 0"),
        ("training.dropout=1", "--set training.dropout must be less than 1, not 1"),
        ("training.learning_rate=fast", "--set training.learning_rate must be a number, not 'fast'"),
        ("models.student.name=7", "must be a text, in quotes where it looks like something else, not 7"),
        ("sandbox.tier=ful", "--set sandbox.tier must be one of auto, full, kernel (did you mean full?), not 'ful'"),
        ("tools.enabled=python", "--set tools.enabled expects a list, e.g. [python], not 'python'"),
        ("curriculum.domains=[]", "--set curriculum.domains must name at least 1, not []"),
        ("curriculum.domains=[math, math]", "--set curriculum.domains: math is given twice"),
        ("training.roles=[student, student]", "--set training.roles: student is given twice"),
        ("tools.enabled=[python, python]", "--set tools.enabled: python is given twice"),
        ("execution.reflection=[critique, critique]", "--set execution.reflection: critique is given twice"),
        ("rewards.weights=3", "--set rewards.weights expects keys with values, e.g. {name: value}, not 3"),
        ("execution=3", "--set execution is a section: set its keys, e.g. execution.attempts, not 3"),
        ("execution={attempts: 0}", "--set execution: execution.attempts must be at least 1, not 0"),
        ("execution.atempts=3", "--set execution.atempts: unknown key; did you mean execution.attempts?"),
        ("exec.attempts=3", "--set exec.attempts: unknown key; did you mean execution.attempts?"),
        ("atempts=3", "--set atempts: unknown key; did you mean execution.attempts?"),
        ("domain=logic", "--set domain: unknown key; did you mean tools.domains or curriculum.domains?"),
        ("peft.method=qlora", "--set peft.method: unknown key; did you mean training.peft_method?"),
        ("peft.rank=8", "--set peft.rank: unknown key; did you mean training.rank?"),
        ("peft={rank: 8}", "--set peft: unknown key; did you mean training.peft_method or training.rank or training.a"),
        ("training.peft_methods=qlora", "unknown key; did you mean training.peft_method?"),
        ("tool.of.python.timeout_seconds=3", "unknown key; did you mean tools.of.python.timeout_seconds?"),
        ("tools.of.python.timeout=3", "unknown key; did you mean tools.of.python.timeout_seconds?"),
        ("sandbox.zzz=3", "--set sandbox.zzz: unknown key; known keys of sandbox: tier, allow_unsafe"),
        ("models.student.backend=openvin", "no model backend is called 'openvin': did you mean 'openvino'?"),
        ("curriculum.domains=[maths]", "--set curriculum.domains: no task domain is called 'maths': did you mean"),
        ("tools.enabled=[pythn]", "no tool is called 'pythn': did you mean 'python'?"),
        ("tools.of.pythn.timeout_seconds=2", "no tool is called 'pythn': did you mean 'python'?"),
        ("tools.domains.maths.python.timeout_seconds=2", "no task domain is called 'maths': did you mean 'math'?"),
        ("rewards.weights.style=1", "--set rewards.weights.style: no reward component is called 'style': there are:"),
        ("execution", "--set execution: write it as key=value"),
        ("=3", "--set : unknown key"),
        ("execution..attempts=3", "unknown key"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_told_with_its_option_and_what_it_must_be(override: str, line: str) -> None:
    assert line in refusal(override)


def test_an_option_of_its_own_is_named_as_such() -> None:
    tasks = ("--tasks", "execution.tasks_per_iteration", 0)
    assert refusal(options=[tasks]) == "--tasks must be at least 1, not 0"
    domains = ("--domains", "curriculum.domains", ["maths"])
    assert refusal(options=[domains]).startswith("--domains: no task domain is called 'maths': did you mean 'math'?")


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("AGENT0ES_EXECUTION__ATTEMPTS", "0", "AGENT0ES_EXECUTION__ATTEMPTS must be at least 1, not 0"),
        ("AGENT0ES_EXECUTION__ATEMPTS", "3", "unknown key; did you mean AGENT0ES_EXECUTION__ATTEMPTS?"),
        ("AGENT0ES_SEED", "[", "AGENT0ES_SEED: can't read the value"),
        ("AGENT0ES_SEED", "\udcff", "AGENT0ES_SEED: '\\\\udcff' is not valid text"),
        ("AGENT0ES_CURRICULUM__DOMAINS", "math", "__DOMAINS expects a list, e.g. [math], not 'math'"),
    ],
)  # fmt: skip
def test_a_variable_is_named_as_such(name: str, value: str, line: str) -> None:
    assert line in refusal(environment={name: value})


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("execution:\n  attempts: 0\n", "my.yaml, line 2: execution.attempts must be at least 1, not 0"),
        ("execution:\n  atempts: 3\n", "line 2: execution.atempts: unknown key; did you mean execution.attempts?"),
        ("tools:\n  enabled: python\n", "my.yaml, line 2: tools.enabled expects a list, e.g. [python], not 'python'"),
        ("curriculum:\n  domains:\n    - maths", "line 2: curriculum.domains: no task domain is called 'maths'"),
        ("rewards:\n  weights:\n    novelty: .nan", "line 3: rewards.weights.novelty must be a finite number, not nan"),
        ("execution:\n  attempts: 2\nseed: 3\nexecution:\n  seed: 1", "execution is given twice, in line 1 and line 4"),
        ("execution: {attempts: 1, attempts: 2}", "my.yaml: execution.attempts is given twice, in line 1 and line 1"),
        ("rewards:\n  weights:\n    novelty: 1\n    novelty: 2", "rewards.weights.novelty is given twice, in line 3"),
        ("- a", "my.yaml: the top level must be a mapping of sections"),
        ("a: b: c", "my.yaml: not YAML: mapping values are not allowed here, line 1"),
        ("execution: [1,\n", "my.yaml: not YAML: "),
        ("seed: \x07", "my.yaml: not YAML: unacceptable character"),
        ("1: 2", "my.yaml, line 1: a key must be a text, not 1"),
        ("? [a, b]\n: 2", "my.yaml, line 1: a key must be a text, not a list or mapping"),
        ("seed: !!python/object/apply:os.getcwd []", "is a tag; write the value without it, line 1"),
        ("seed: 1\n---\nseed: 2", "my.yaml: not YAML: but found another document, line 2"),
        ('models: {student: {name: "\\ud83d"}}', "'\\\\ud83d' is not valid text"),
    ],
)  # fmt: skip
def test_a_file_is_named_with_the_line(tmp_path: Path, text: str, line: str) -> None:
    file = tmp_path / "my.yaml"
    file.write_text(text)
    assert line in refusal(file=file)


def test_a_file_that_is_no_text_or_not_there_is_told(tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_bytes(b"seed: \xff\xfe")
    assert "not YAML in UTF-8" in refusal(file=tmp_path / "my.yaml")
    assert "Is a directory" in refusal(file=tmp_path)
    assert "No such file" in refusal(file=tmp_path / "none")
    assert "longer than 256 KB" in refusal(file=Path("/dev/zero"))


def bomb(depth: int = 12) -> str:
    """YAML that is short, and long once its aliases are written out."""
    names = [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9) if i else 'x'}]" for i in range(depth)]
    return "\n".join(names) + f"\nmodels: {{student: {{options: {{x: *a{depth - 1}}}}}}}"


@pytest.mark.parametrize(
    "text",
    [bomb(), "seed: &a [*a]", "&a {x: *a}", "seed: " + "[" * 100_000, "{a: " * 50_000, "- " * 100_000,
     "seed: " + "9" * 200_000, "seed: 0x" + "f" * 200_000, "seed: " + "1:" * 100_000 + "1", "k" * 100_000 + ": 1",
     "execution: {" + "k" * 100_000 + ": 1}", "seed: " + "x" * 200_000, "seed: '" + "x" * 300_000 + "'"],
    ids=lambda text: f"{text[:20]!r}",
)  # fmt: skip
def test_hostile_yaml_is_refused_in_one_short_line_and_at_once(tmp_path: Path, text: str) -> None:
    (tmp_path / "my.yaml").write_text(text)
    began = time.process_time()
    refusal(file=tmp_path / "my.yaml")
    key, _, value = text.partition(": ")
    refusal(f"{key}={value}")
    refusal(environment={"AGENT0ES_SEED": text})
    assert time.process_time() - began < 5


@pytest.mark.parametrize("number", [".nan", ".inf", "-.inf"])
@pytest.mark.parametrize(
    "key",
    ["rewards.weights.novelty", "models.student.temperature", "training.alpha", "tools.of.python.timeout_seconds",
     "models.student.options.x", "models.student.options.x.y", "evaluation.margin"],
)  # fmt: skip
def test_what_is_not_finite_is_refused_wherever_it_stands(key: str, number: str) -> None:
    assert f"--set {key}" in (line := refusal(f"{key}={number}"))
    assert "must be a finite number" in line
    nested = refusal("models.student.options={a: [{b: [1, " + number + "]}]}")
    assert nested.startswith("--set models.student.options: b must be a finite number")


def test_what_is_not_finite_is_refused_in_a_log_too() -> None:
    with pytest.raises(ConfigurationError, match="finite"):
        parse_configuration({"rewards": {"weights": {"novelty": math.nan}}}, "run x")


def test_what_several_sources_say_comes_together_and_the_later_wins(tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_text("# mine\nexecution:\n  attempts: 3\n  retries: 5\ntraining:\n  # rank: 4\n")
    configuration, given = loaded(
        tmp_path / "my.yaml",
        ["execution={attempts: 6, on_error: continue}", "rewards.weights={novelty: 1}"],
        {"AGENT0ES_EXECUTION__ATTEMPTS": "4", "AGENT0ES_SEED": "9", "AGENT0ES_STORE": "elsewhere", "HOME": "/"},
        [("--tasks", "execution.tasks_per_iteration", 12)],
    )
    execution = configuration.execution
    assert (execution.attempts, execution.retries, execution.on_error) == (6, 5, "continue")
    assert (configuration.seed, execution.tasks_per_iteration) == (9, 12)
    assert configuration.rewards.weights == {"novelty": 1.0}
    assert configuration.training == Configuration().training
    said = {".".join(path): source.name for path, source in given.sources.items()}
    assert said["execution.attempts"] == "--set execution"
    assert said["execution.retries"].endswith("my.yaml, line 4")
    assert said["execution.tasks_per_iteration"] == "--tasks"
    assert said["seed"] == "AGENT0ES_SEED"


def test_a_role_keeps_its_own_defaults_beside_what_is_set() -> None:
    """Those of the teacher and of the student are not those of a model in general."""
    plain = Configuration().models
    overrides = ["models.student.temperature=0.5", "models.teacher={top_p: 0.9}"]
    models = load_configuration(overrides=overrides, environment={}).models
    assert models.student == plain.student.model_copy(update={"temperature": 0.5})
    assert models.teacher == plain.teacher.model_copy(update={"top_p": 0.9})
    assert models.student.stop == ("\n",) and models.teacher.max_tokens == 96
    assert parse_configuration({"models": {"student": None}}, "run x") == Configuration()


@pytest.mark.parametrize(
    ("value", "read"),
    [("2020-01-31", "2020-01-31"), ("=", "="), ("[1, a]", [1, "a"]), ("true", True), ("'7'", "7"),
     ("{a: {b: 1}}", {"a": {"b": 1}})],
)  # fmt: skip
def test_a_value_is_read_as_what_json_has(value: str, read: Any) -> None:
    """Or else what RunStarted keeps would not read back as the same."""
    configuration = load_configuration(overrides=[f"models.student.options.x={value}"], environment={})
    assert configuration.models.student.options == {"x": read}
    assert Configuration.model_validate(configuration.model_dump(mode="json")) == configuration
