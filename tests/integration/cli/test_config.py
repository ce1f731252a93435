"""`agent0es config`, and the pages that say what the settings are."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from pydantic import BaseModel

from agent0es.cli.main import cli
from agent0es.configuration import Configuration, ToolSettings, load_configuration
from agent0es.configuration.messages import keys_of
from agent0es.configuration.reference import reference
from agent0es.configuration.secrets import MASK
from agent0es.errors import ConfigurationError, RunNotFound
from agent0es.log import EventLog
from tests.support import world
from tests.support.commands import answer, invoke

ROOT = Path(__file__).parents[3]
DEFAULT = ROOT / "configs" / "default.yaml"


def config(*arguments: str, **variables: str) -> str:
    result = CliRunner().invoke(cli, ["config", *arguments], env=variables, catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def keys_in(data: dict[str, Any], outer: str = "") -> Iterator[str]:
    for name, value in data.items():
        yield outer + name
        if isinstance(value, dict):
            yield from keys_in(value, f"{outer}{name}.")


def test_the_default_file_has_every_key_and_no_other_value() -> None:
    assert load_configuration(DEFAULT, environment={}) == Configuration()
    named = set(keys_in(yaml.safe_load(DEFAULT.read_text())))
    assert [key for key in keys_of(Configuration) if key not in named] == []


def test_the_reference_page_is_as_the_models_are() -> None:
    page = (ROOT / "docs" / "settings.md").read_text()
    assert page == config("reference") == reference(), "run: agent0es config reference > docs/settings.md"
    for key in keys_of(Configuration):
        section, _, name = key.rpartition(".")
        table = page.split(f"## {section or 'Top level'}\n", 1)[1].split("\n## ", 1)[0]
        assert f"| `{name}` |" in table, key


def test_every_setting_and_section_says_what_it_is() -> None:
    def check(model: type[BaseModel]) -> None:
        assert model.__doc__
        for name, field in model.model_fields.items():
            assert field.description and field.description.endswith((".", "?")), (model, name)
            if isinstance(field.default, BaseModel):
                check(type(field.default))

    check(Configuration)
    check(ToolSettings)


def test_what_holds_is_shown_with_its_sources_and_reads_back(tmp_path: Path) -> None:
    file = tmp_path / "my.yaml"
    file.write_text(
        "models:\n  student:\n    options: {yes: 1, 'a b': [x]}\nexecution:\n  attempts: 3\n".replace("yes", "'yes'")
    )
    given = ["--config", str(file), "--set", "rewards.weights={novelty: 1}", "--set", "tools.of.python.allow=[re]"]
    key = {"AGENT0ES_MODELS__STUDENT__OPTIONS__API_KEY": "sk-1"}
    shown = config("show", *given, AGENT0ES_SEED="7", **key)
    lines = {line.strip() for line in shown.splitlines()}
    assert f"attempts: 3  # {file}, line 5" in lines
    assert "seed: 7  # AGENT0ES_SEED" in lines
    assert "weights:  # --set rewards.weights" in lines
    assert 'allow: ["re"]  # --set tools.of.python.allow' in lines
    assert "retries: 2" in lines
    assert "sk-1" not in shown and all(len(line) <= 100 or "#" in line for line in lines)
    (tmp_path / "again.yaml").write_text(shown)
    again = load_configuration(tmp_path / "again.yaml", environment={})
    first = load_configuration(file, [*given[3::2]], {"AGENT0ES_SEED": "7", **key})
    assert again == first.without_secrets() and again.models.student.options["api_key"] == MASK
    assert again != first
    found = json.loads(config("show", *given, "--json", AGENT0ES_SEED="7", **key))
    assert found["configuration"] == first.model_dump(mode="json")
    assert found["sources"]["seed"] == "AGENT0ES_SEED"
    assert found["sources"]["execution.attempts"] == f"{file}, line 5"


def test_the_configuration_of_a_run_is_shown_with_what_is_its_own(tmp_path: Path) -> None:
    with EventLog.open(tmp_path / "log.db") as log:
        world.begin(log, "run", "seed=7")
    shown = answer(tmp_path, "config", "show", "run")
    assert "seed: 7  # run run" in shown and "retries: 2\n" in shown
    assert isinstance(invoke(tmp_path, "config", "show", "nobody").exception, RunNotFound)
    found = invoke(tmp_path, "config", "show", "run", "--set", "seed=1").exception
    assert isinstance(found, ConfigurationError) and "remove --config and --set" in str(found)


def test_a_wrong_setting_is_told_as_a_run_tells_it() -> None:
    found = CliRunner().invoke(cli, ["config", "show", "--set", "execution.attempts=0"]).exception
    assert isinstance(found, ConfigurationError)


@pytest.mark.parametrize("section", ["models", "execution", "log"])
def test_the_schema_has_every_section(section: str) -> None:
    schema = json.loads(config("schema"))
    assert section in schema["properties"] and schema["additionalProperties"] is False
    assert schema["$defs"]["ExecutionSettings"]["properties"]["attempts"]["maximum"] == 64
