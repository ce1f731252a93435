"""A plug-in that is broken, wrong or gone is told in one line with its package, and takes nothing else with it."""

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agent0es import plugins
from agent0es.bootstrap import load_rewards, open_store
from agent0es.cli.main import cli
from agent0es.configuration import load_configuration, parse_configuration
from agent0es.domain import events as ev
from agent0es.errors import ConfigurationError
from agent0es.log import EventLog
from agent0es.models.factory import create_backend
from agent0es.runs.starting import check, start_run
from agent0es.runs.verifying import verify_run
from agent0es.taskdomains import load_family, load_task_domain, load_task_domains
from agent0es.tools import load_tools
from tests.support import world
from tests.support.commands import invoke
from tests.support.package import install
from tests.unit.tools.sandboxes import needs_sandbox

MODULE = """
import dataclasses
from agent0es.taskdomains.math import MathDomain

def own(name, count=5, **changes):
    class Domain(MathDomain):
        def families(self, split):
            found = super().families(split)
            return [dataclasses.replace(f, **{"domain": name, "name": f"{name}_{f.name}", **changes})
                    for f in (found[:count] if split == "practised" else found)]
        def family(self, name):
            named = {f.name: f for split in ("practised", "held_out") for f in self.families(split)}
            return named.get(name) or super().family(name)
    Domain.name = name
    return Domain

good = own("good")
small = own("small", count=2)
class bare(own("bare")):
    def families(self, split): return [] if split == "held_out" else super().families(split)
misnamed = own("another")
elsewhere = own("elsewhere", domain="math")
missplit = own("missplit", split="held_out")
wordless = own("wordless", wordings=())

class unmade(good):
    name = "unmade"
    def __init__(self): raise RuntimeError("no licence\\nfound")

class failing(good):
    name = "failing"
    def families(self, split): raise KeyError(split)

class nothing: name = "nothing"

class untyped(good):
    name = "untyped"
    def families(self, split): return ["a family"]

tenfold = dataclasses.replace(MathDomain().family("product"), name="tenfold", domain="good")
number = 7
def backend(): pass
def halves(inputs): return 0.5
class mute:
    def __init__(self, sandbox): pass
"""
DOMAINS = "good small bare misnamed elsewhere missplit wordless unmade failing nothing untyped number missing".split()
BROKEN = "raise OSError('libfoo.so: cannot open\\nshared object')\n"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two packages: one with parts that are good and wrong, one that can't be imported."""
    for folder in ("mine", "broken"):
        (tmp_path / folder).mkdir()
    parts = {
        "agent0es.task_domains": {name: name for name in DOMAINS},
        "agent0es.rewards": {"halves": "halves", "number": "number"},
        "agent0es.families": {"tenfold": "tenfold"},
        "agent0es.models": {"number": "backend"},
        "agent0es.tools": {"mute": "mute"},
    }
    install(monkeypatch, tmp_path / "mine", "mine", MODULE, parts)
    install(monkeypatch, tmp_path / "broken", "broken", BROKEN, {group: {"broken": "It"} for group in parts})
    return tmp_path


LOADERS: dict[str, Callable[[str], Any]] = {
    "task domain": load_task_domain,
    "tool": lambda name: load_tools([name], None),  # type: ignore[arg-type]
    "model backend": lambda name: create_backend(name, "x"),
    "task family": load_family,
    "reward component": lambda name: load_rewards({name: 1.0}),
}


@pytest.mark.parametrize("kind", LOADERS)
def test_one_that_cannot_be_imported_is_named_with_its_package(package: Path, kind: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        LOADERS[kind]("broken")
    reason = "can't be imported: OSError: libfoo.so: cannot open shared object"
    assert str(raised.value) == f"{kind} 'broken' (broken:It of broken 1.2) {reason}"


def test_one_that_ends_the_process_when_it_is_imported_does_not_end_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, tmp_path, "quits", "raise SystemExit('no licence')\n", {"agent0es.rewards": {"quits": "it"}})
    with pytest.raises(
        ConfigurationError, match=r"\(quits:it of quits 1.2\) can't be imported: SystemExit: no licence"
    ):
        load_rewards({"quits": 1.0})


@pytest.mark.parametrize("kind", LOADERS)
def test_one_that_is_not_there_is_answered_with_the_nearest(package: Path, kind: str) -> None:
    with pytest.raises(ConfigurationError, match=f"no {kind} is called 'brokn': did you mean 'broken'"):
        LOADERS[kind]("brokn")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("small", "has 2 practised families; the teacher chooses between 3"),
        ("bare", "has no held-out families, and those measure what was learnt"),
        ("misnamed", "calls itself 'another'; name and entry point must be the same"),
        ("elsewhere", "has a family 'elsewhere_.*' with domain='math'; it must be 'elsewhere'"),
        ("missplit", "has a family .* with split='held_out' among those of 'practised'"),
        ("wordless", "has a family .* without wordings"),
        ("unmade", "can't be made: RuntimeError: no licence found"),
        ("failing", "can't be made: KeyError: 'practised'"),
        ("nothing", "has no tools, which every task domain has"),
        ("untyped", "has something among its practised families that is not a Family: str"),
        ("number", "can't be made: TypeError: 'int' object is not callable"),
        ("missing", "can't be imported: AttributeError: module 'mine' has no attribute 'missing'"),
    ],
)
def test_a_domain_that_would_fail_in_a_run_is_refused_before(package: Path, name: str, reason: str) -> None:
    assert load_task_domains(["math", "good"])["good"].families("practised")
    with pytest.raises(
        ConfigurationError, match=rf"^task domain '{name}' \(mine:{name} of mine 1.2\) {reason}"
    ) as raised:
        load_task_domains([name])
    assert "\n" not in str(raised.value)


def test_other_parts_that_would_fail_in_a_run_are_refused_before(package: Path) -> None:
    assert load_rewards({"halves": 1.0})["halves"](None) == 0.5  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match=r"reward component 'number' .* not a function of RewardInputs"):
        load_rewards({"number": 1.0})
    with pytest.raises(ConfigurationError, match=r"model backend 'number' .* has no method create"):
        create_backend("number", "x")
    with pytest.raises(ConfigurationError, match=r"tool 'mute' .* has no name"):
        load_tools(["mute"], None)  # type: ignore[arg-type]


def test_installed_ones_are_sound() -> None:
    for name in plugins.installed(plugins.TASK_DOMAINS):
        if name != "reasoning_gym":  # an extra
            load_task_domain(name)


def test_a_broken_one_takes_nothing_with_it(package: Path) -> None:
    """Only what needs it fails; reading a log, and what else is installed, doesn't."""
    load_configuration(overrides=["curriculum.domains=[math, logic]", "tools.enabled=[python]"], environment={})
    with EventLog.open(package / "log.db") as log:
        world.begin(log, "run", "curriculum.domains=[broken]", "rewards.weights={broken: 1}", "tools.enabled=[broken]")
    for command in ("runs", "show run", "events run", "replay run", "diff run run", "sql SELECT/**/1", "audit run"):
        found = invoke(package, *command.split())
        assert found.exception is None, (command, found.exception)
    listed = agent0es("tools", "list", "--json")
    rows = rows_of(listed, "tool")
    assert "broken 1.2" in rows["broken"]["description"] and rows["broken"]["schema"] == {}
    assert "has no name" in rows["mute"]["description"]
    assert rows["python"]["description"] and "broken" not in rows["python"]["description"]


def test_the_list_names_the_package_of_each_and_imports_none(package: Path) -> None:
    rows = rows_of(agent0es("plugins", "list", "--json"), "group", "name")
    broken = rows["agent0es.tools", "broken"]
    assert (broken["package"], broken["built_in"], broken["value"]) == ("broken 1.2", False, "broken:It")
    math = rows["agent0es.task_domains", "math"]
    assert math["package"].startswith("agent0es ") and math["built_in"]
    lines = agent0es("plugins", "list").stdout.splitlines()
    assert len(lines) == len(rows) + 1 and max(map(len, lines)) <= 80


def test_the_check_says_what_is_broken_and_by_whose_package(package: Path) -> None:
    shown = agent0es("plugins", "check")
    assert shown.exit_code == 2
    assert "broken: tool 'mute' (mine:mute of mine 1.2) has no name, which every tool has" in shown.stdout.splitlines()
    assert shown.stdout.count("(broken:It of broken 1.2) can't be imported: OSError") == len(LOADERS)
    rows = rows_of(agent0es("plugins", "check", "--json"), "group", "name")
    unsound = {name for (group, name), row in rows.items() if row["status"] == "broken"}
    assert unsound == {*DOMAINS, "broken", "mute"} - {"good"}
    assert rows["agent0es.rewards", "halves"]["status"] == rows["agent0es.tools", "python"]["status"] == "ok"


def test_the_check_does_not_count_what_lacks_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent0es.taskdomains.reasoning_gym.find_spec", lambda name: None)
    shown = agent0es("plugins", "check")
    [reason, _] = shown.stdout.splitlines()
    assert reason.startswith("not installed: the task domain reasoning_gym needs reasoning-gym")
    assert shown.exit_code == 0


def test_a_name_of_two_packages_is_listed_twice_and_used_by_none(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other").mkdir()
    parts = {"agent0es.rewards": {"halves": "halves", "thirds": "halves"}, "agent0es.tools": {"python": "halves"}}
    install(monkeypatch, tmp_path / "other", "other", "def halves(inputs): return 1\n", parts)
    listed = [json.loads(line) for line in agent0es("plugins", "list", "--json").stdout.splitlines()]
    assert [row["package"] for row in listed if row["name"] == "halves"] == ["mine 1.2", "other 1.2"]
    with pytest.raises(ConfigurationError) as raised:
        load_rewards({"halves": 1.0})
    said = "reward component 'halves' is in mine 1.2 and other 1.2; uninstall all of them but one"
    assert str(raised.value) == said
    assert f"broken: {said}" in agent0es("plugins", "check").stdout.splitlines()
    assert load_rewards({"thirds": 1.0, "novelty": 1.0})
    with pytest.raises(ConfigurationError, match=r"tool 'python' is in agent0es .* and other 1.2"):
        load_tools(["python"], None)  # type: ignore[arg-type]


def agent0es(*words: str) -> Result:
    return CliRunner().invoke(cli, words, catch_exceptions=False)


def rows_of(result: Result, *keys: str) -> dict[Any, dict[str, Any]]:
    """The JSON lines of a command by the values of one key, or of several."""
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    return {tuple(row[key] for key in keys) if len(keys) > 1 else row[keys[0]]: row for row in rows}


@needs_sandbox
def test_the_log_says_which_packages_a_run_used_and_verifying_names_one_that_is_gone(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = [
        "curriculum.domains=[good, math]",
        "curriculum.families=[tenfold]",
        "rewards.weights={halves: 1}",
        "tools.enabled=[math]",
    ]
    scripted = [f"models.{role}.name=tests.support.world:respond" for role in ("teacher", "student")]
    configuration = load_configuration(overrides=[*world.SETTINGS, *settings, *scripted], environment={})
    with open_store(package / "store", create=True) as log:
        start_run(log, "run", configuration, asyncio.run(check(package / "store", log, configuration)))
        event = next(log.read(run="run")).event
        assert isinstance(event, ev.RunStarted)
        own = f"agent0es {plugins.package_of(plugins.find(plugins.TOOLS, 'math')).split()[1]}"
        assert event.plugins == {
            "agent0es.models:scripted": own,
            "agent0es.tools:math": own,
            "agent0es.tools:python": own,
            "agent0es.tools:tests": own,
            "agent0es.task_domains:good": "mine 1.2",
            "agent0es.task_domains:math": own,
            "agent0es.families:tenfold": "mine 1.2",
            "agent0es.rewards:halves": "mine 1.2",
            "agent0es.methods:rft": own,
        }
        assert not plugins.gone(event.plugins)
        monkeypatch.setattr("sys.path", [entry for entry in sys.path if not entry.endswith("/mine")])
        assert parse_configuration(event.configuration, "run").curriculum.domains == ("good", "math")
        with pytest.raises(ConfigurationError) as raised:
            asyncio.run(verify_run(log, "run", with_novelty=False))
    for said in ("task domain 'good'", "task family 'tenfold'", "reward component 'halves'"):
        assert f"the {said} of mine 1.2" in str(raised.value)
