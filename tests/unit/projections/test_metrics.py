"""Figures for a monitoring system: what they say of a history, and that nobody draws one that is not there."""

import json
import random
import re
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from agent0es.domain import events as ev
from agent0es.log.records import NewEvent
from agent0es.projections import Projections, metrics
from agent0es.service.metrics import exposition
from tests.unit.history.test_log_lines import made
from tests.unit.projections import history as make
from tests.unit.projections.fake_log import FakeLog

MONITORING = Path(__file__).parents[3] / "docs" / "monitoring"
NAME = re.compile(r"\bagent0es_\w+")

Found = dict[tuple[str, frozenset[tuple[str, str]]], float]


def scraped(log: FakeLog) -> Found:
    """Sample and labels to value."""
    with Projections.open(log) as tables:
        tables.catch_up()
        text = exposition(metrics.collect(tables)).decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(found: Found, name: str, **labels: str) -> float:
    """The sum of what has these labels."""
    return sum(
        value
        for (known, said), value in found.items()
        if known == f"agent0es_{name}" and labels.items() <= dict(said).items()
    )


def on(where: str, *events: ev.Event) -> list[NewEvent]:
    return [NewEvent(where, event) for event in events]


@pytest.fixture(scope="module")
def log() -> FakeLog:
    """A run of two iterations, routed questions, alerts and jobs."""
    events = make.history(random.Random(3), "r", iterations=2, tasks=12)
    events += [
        *on("route/routes/a", made("RouteAsked", route="a", configuration="{}")),
        *on("route/routes/a", made("RouteDecided", route="a", reason="confident")),
        *on("route/routes/a", made("RouteAnswered", route="a", candidate="local", cached=None, verdict=True,
                                   confidence=0.75, cost_usd=0.0)),
        *on("route/routes/b", made("RouteAsked", route="b", configuration="{}")),
        *on("route/routes/b", made("RouteDecided", route="b", reason="unsure")),
        *on("route/routes/b", made("RouteAnswered", route="b", candidate="cloud", cached=None, verdict=False,
                                   cost_usd=0.25)),
        *on("service/alerts/cost", made("AlertRaised", rule="cost", run=None)),
        *on("service/alerts/cost", made("AlertRaised", rule="cost", run="r")),
        *on("service/alerts/cost", made("AlertCleared", rule="cost", run=None)),
        *on("service/schedules/s", made("ScheduleAdded", schedule="s")),
        *on("service/schedules/s", made("JobStarted", schedule="s", job="s-1", due="2026-01-31T12:00:00Z")),
        *on("service/schedules/s", made("JobFinished", schedule="s", job="s-1", outcome="succeeded")),
        *on("service/schedules/s", made("JobStarted", schedule="s", job="s-2", due=None)),
    ]  # fmt: skip
    return FakeLog(events)


@pytest.fixture(scope="module")
def found(log: FakeLog) -> Found:
    return scraped(log)


def count(log: FakeLog, kind: type[ev.Event], **fields: object) -> int:
    return sum(
        isinstance(one.event, kind) and all(getattr(one.event, name) == wanted for name, wanted in fields.items())
        for one in log.recorded
    )


def test_what_happened_is_counted(log: FakeLog, found: Found) -> None:
    assert value(found, "log_events_total") == len(log.recorded)
    assert value(found, "tasks_proposed_total", run="r") == count(log, ev.TaskProposed)
    assert value(found, "tasks_completed_total", run="r") == count(log, ev.TaskCompleted)
    assert value(found, "proposals_rejected_total", run="r") == count(log, ev.ProposalRejected)
    judged = [one.event for one in log.recorded if isinstance(one.event, ev.Verified)]
    right = sum(event.task is not None and event.verification.correct is True for event in judged)
    assert value(found, "attempts_total", run="r", verdict="right") == right > 0
    assert value(found, "attempts_total", run="r") + value(found, "held_out_answers_total", run="r") == len(judged)
    assert value(found, "model_calls_total", run="r") == count(log, ev.ModelCalled)
    assert value(found, "tool_calls_total", run="r") == count(log, ev.ToolCalled)
    assert value(found, "adapters", run="r") == count(log, ev.DatasetBuilt)
    assert value(found, "model_tokens_total", direction="written") == sum(
        one.event.completion_tokens for one in log.recorded if isinstance(one.event, ev.ModelCalled)
    )


def test_the_routers_answers_and_what_they_cost(found: Found) -> None:
    assert value(found, "routes_total", candidate="local", reason="confident") == 1
    assert value(found, "routes_judged_total", candidate="local", verdict="right") == 1
    assert value(found, "routes_judged_total", candidate="cloud", verdict="wrong") == 1
    assert value(found, "routes_cost_usd_total", candidate="cloud") == 0.25
    assert value(found, "route_prediction_error", candidate="local") == 0.25


def test_alerts_that_are_not_over_and_jobs_that_ended(found: Found) -> None:
    assert value(found, "alerts_active", rule="cost") == 1
    assert value(found, "alerts_raised_total", rule="cost") == 2
    assert value(found, "jobs_total", schedule="s", outcome="succeeded") == 1
    assert value(found, "jobs_total") == 1, "one goes on"


def test_a_histogram_adds_up(found: Found) -> None:
    for name in ("model_call_seconds", "tool_call_seconds", "task_seconds", "attempt_seconds"):
        labels = {said - {pair for pair in said if pair[0] == "le"} for known, said in found if name in known}
        assert labels, name
        for label in labels:
            buckets = sorted(
                (float(dict(said)["le"]), upto)
                for (known, said), upto in found.items()
                if known == f"agent0es_{name}_bucket" and label <= said
            )
            counts = [upto for _, upto in buckets]
            assert counts == sorted(counts)
            assert buckets[-1][0] == float("inf")
            assert counts[-1] == value(found, f"{name}_count", **dict(label))


def test_after_more_events_more_is_counted_and_a_rebuild_says_the_same() -> None:
    events = make.history(random.Random(5), "r", iterations=1, tasks=6)
    log = FakeLog(events[: len(events) // 2])
    with Projections.open(log) as tables:
        tables.catch_up()
        list(metrics.collect(tables))
        log.append(events[len(events) // 2 :])
        tables.catch_up()
        later = exposition(metrics.collect(tables))
    with Projections.open(log) as tables:
        tables.catch_up()
        assert exposition(metrics.collect(tables)) == later


COUNTED = {
    *("ModelCalled", "ProposalRejected", "TaskProposed", "ToolCalled", "SolutionSubmitted", "Verified"),
    *("TaskCompleted", "HandlerFailed", "TrainingFailed", "RouteAnswered", "JobFinished"),
}


@pytest.fixture(scope="module")
def scrapes(log: FakeLog) -> list[Found]:
    """What somebody saw who looked before the first event of each type that is counted, and at the end."""
    events = make.history(random.Random(7), "r", iterations=1, tasks=2)
    events += [NewEvent(one.stream, one.event) for one in log.recorded if one.stream.split("/")[1] != "r"]
    firsts = {type(one.event).__name__: place for place, one in reversed(list(enumerate(events)))}
    looks = sorted({place for kind, place in firsts.items() if kind in COUNTED} | {len(events)})
    log, found = FakeLog(), []
    with Projections.open(log) as tables:
        for since, until in pairwise([0, *looks]):
            log.append(events[since:until])
            tables.catch_up()
            text = exposition(metrics.collect(tables)).decode()
            families = text_string_to_metric_families(text)
            samples = (sample for family in families if family.type != "gauge" for sample in family.samples)
            found.append({(one.name, frozenset(one.labels.items())): one.value for one in samples})
    return found


def test_what_is_counted_never_falls(scrapes: list[Found]) -> None:
    for before, after in pairwise(scrapes):
        for key, value in before.items():
            assert after.get(key, 0) >= value, key


def test_what_a_panel_or_a_rule_looks_at_is_first_seen_at_0(scrapes: list[Found]) -> None:
    looked_at = {name for expression in expressions() for name in NAME.findall(expression)}
    grown = set()
    for before, after in pairwise([{}, *scrapes]):
        for (name, labels), value in after.items():
            if value and name in looked_at:
                assert (name, labels) in before, f"{name} {dict(labels)} begins at {value}: a rate would miss that"
                grown.add(name)
    assert len(grown) > 10


def test_an_empty_log_has_figures_too() -> None:
    assert value(scraped(FakeLog()), "log_events_total") == 0


def test_only_the_latest_runs_are_told_apart() -> None:
    log = FakeLog([event for n in range(25) for event in make.history(random.Random(n), f"r{n:02}", tasks=1)])
    runs = {dict(said)["run"] for name, said in scraped(log) if "run" in dict(said)}
    assert runs <= {f"r{n:02}" for n in range(5, 25)}


def test_names_and_helps_are_as_prometheus_wants_them() -> None:
    names = [metric.name for metric in metrics.METRICS]
    assert len(names) == len(set(names))
    for metric in metrics.METRICS:
        assert re.fullmatch(r"[a-z][a-z0-9_]*[a-z0-9]", metric.name) and not metric.name.endswith("_total")
        assert metric.help.endswith(".") and metric.help[0].isupper()


def exported() -> set[str]:
    """Every name that a scrape may hold."""
    names = {"agent0es_build_info"}
    for metric in (*metrics.METRICS, metrics.DUE):
        ends = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}[metric.kind]
        names |= {f"{metrics.PREFIX}{metric.name}{end}" for end in ends}
    return names


def labels_of(name: str) -> set[str]:
    base = re.sub(r"_(total|bucket|sum|count)$", "", name.removeprefix(metrics.PREFIX))
    [labels] = [metric.labels for metric in metrics.METRICS if metric.name in (base, name.removeprefix(metrics.PREFIX))]
    return {*labels, "le"}


def expressions() -> list[str]:
    """Of the dashboard and the rules."""
    dashboard = json.loads((MONITORING / "grafana.json").read_text())
    rules = yaml.safe_load((MONITORING / "alerts.yml").read_text())
    return [
        *(target["expr"] for panel in dashboard["panels"] for target in panel["targets"]),
        *(variable["query"] for variable in dashboard["templating"]["list"] if variable["type"] == "query"),
        *(rule["expr"] for group in rules["groups"] for rule in group["rules"]),
    ]


def test_what_the_dashboard_and_the_rules_name_is_there() -> None:
    assert len(expressions()) > 30
    for expression in expressions():
        for name in NAME.findall(expression):
            if name != "agent0es":
                assert name in exported(), expression
        for name, matchers in re.findall(r"(agent0es_\w+)\{([^}]*)\}", expression):
            assert set(re.findall(r"(\w+)\s*[=!]", matchers)) <= labels_of(name), expression


def test_the_seeds_figures_are_drawn() -> None:
    drawn = {name for expression in expressions() for name in NAME.findall(expression)}
    assert drawn >= {
        "agent0es_tasks_proposed_total",  # task generation rate
        "agent0es_attempts_total",  # solution success rate
        "agent0es_tool_calls_total",  # tool usage
        "agent0es_training_loss",
        "agent0es_reward",
        "agent0es_routes_judged_total",  # router accuracy
        "agent0es_model_call_seconds_bucket",  # latency percentiles
        "agent0es_task_cost_usd",  # cost per task
    }


def test_panels_do_not_lie_over_each_other() -> None:
    dashboard = json.loads((MONITORING / "grafana.json").read_text())
    places = [tuple(panel["gridPos"][key] for key in ("x", "y")) for panel in dashboard["panels"]]
    assert len(set(places)) == len(places)
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(places)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="there is no promtool; apt-get install prometheus")
@pytest.mark.parametrize(
    "words", (["check", "config", "prometheus.yml"], ["test", "rules", "alerts_test.yml"]), ids=" ".join
)
def test_prometheus_reads_the_rules_and_they_say_what_they_should(words: list[str]) -> None:
    said = subprocess.run(["promtool", *words], cwd=MONITORING, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout + said.stderr
