"""Every configuration in `configs/` loads, says what it differs in, and why."""

import re
from pathlib import Path

import pytest
import yaml

from agent0es import plugins
from agent0es.configuration import Configuration, load_configuration
from agent0es.models.requirements import refusals
from agent0es.models.scripted import ScriptedBackend
from agent0es.taskdomains import load_task_domains

FOLDER = Path(__file__).parents[2] / "configs"
FILES = sorted(FOLDER.glob("*.yaml"))
EXPLAINED = [file for file in FILES if file.name not in ("default.yaml", "qwen.yaml")]
"""Each key of these has a comment."""
KEY = re.compile(r"^( *)([\w-]+): *(.*)$")


def loaded(file: Path) -> Configuration:
    return load_configuration(file, environment={})


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_it_loads_and_names_what_there_is(file: Path) -> None:
    configuration = loaded(file)
    for role in ("teacher", "student"):
        assert getattr(configuration.models, role).backend in plugins.installed(plugins.MODELS)
    assert load_task_domains(configuration.curriculum.domains)
    model = ScriptedBackend(lambda request, adapter: "")  # which can do all that a model can
    assert [*refusals(configuration, "teacher", model), *refusals(configuration, "student", model)] == []


@pytest.mark.parametrize("file", EXPLAINED, ids=lambda file: file.name)
def test_each_key_says_where_it_is_first_used_what_it_is_for(file: Path) -> None:
    said: set[str] = set()
    for line in file.read_text().splitlines():
        match = KEY.match(line)
        if match is None or not match[3] or match[3].startswith("#"):
            continue  # a section
        assert "#" in match[3] or match[2] in said, f"{file.name}: {match[2]} does not say what it is for"
        said.add(match[2])


def test_the_seeds_configuration_has_the_seeds_values() -> None:
    seed = {
        "models": {
            "teacher": {"backend": "ollama", "name": "qwen2.5:3b", "temperature": 0.8},
            "student": {"backend": "ollama", "name": "qwen2.5:7b", "temperature": 0.6},
        },
        "tools": {"timeout_seconds": 30, "memory_limit_mb": 512},
        "rewards": {"weights": {"uncertainty": 0.3, "tool_use": 0.3, "novelty": 0.2, "correctness": 0.2}},
        "training": {
            "peft_method": "qlora",
            "rank": 8,
            "alpha": 16,
            "target_modules": ["q_proj", "v_proj"],
            "dropout": 0.05,
            "batch_size": 1,
            "gradient_accumulation": 8,
            "learning_rate": 1e-4,
            "epochs": 3,
            "warmup_steps": 100,
        },
        "router": {"confidence_threshold": 0.7, "cache_size": 1000},
    }
    configuration = loaded(FOLDER / "3070ti.yaml").model_dump(mode="json")

    def holds(wanted: object, found: object) -> bool:
        if isinstance(wanted, dict):
            assert isinstance(found, dict)
            return all(holds(value, found[key]) for key, value in wanted.items())
        return wanted == found

    assert holds(seed, configuration)
    text = (FOLDER / "3070ti.yaml").read_text()
    assert re.search(r"^ *#.*\bworkdir:", text, re.MULTILINE), "what becomes of the seed's workdir"
    assert set(yaml.safe_load(text)) >= set(seed)


def test_the_page_about_models_has_each_backend_once() -> None:
    page = (FOLDER.parent / "docs" / "models.md").read_text()
    headings = re.findall(r"^## .*$", page, re.MULTILINE)
    assert len(set(headings)) == len(headings)
    for backend in plugins.installed(plugins.MODELS):
        if backend in ("openvino", "recorded", "scripted"):  # the default, and two without a model
            continue
        assert any(f"`{backend}`" in heading for heading in headings), backend
    sections = re.split(r"^## .*$", page, flags=re.MULTILINE)[1:]
    assert all(len(section) > 200 for section in sections), "a heading alone says nothing"
    for section in sections:
        assert section.count("```") % 2 == 0 and not re.search(r"[^\n]\n```\w", section), section[:200]
