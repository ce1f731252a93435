"""What the router came to, and what it should be set to: from the log alone."""

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from agent0es.cli.main import cli
from agent0es.log import EventLog
from agent0es.models.base import ModelUnavailable
from agent0es.models.scripted import ScriptedBackend
from agent0es.runs.tradeoff import LEAST, some
from tests.support.routing import Counted, asked, posed, router, solver
from tests.support.serving import answering
from tests.support.world import HashEmbedder

RIGHT, WRONG = "12 * 34", "12 + 34"
UNSURE = (RIGHT, "1", "2", "3", "4", "5", "6", "7")


def agent0es(*words: str) -> str:
    done = CliRunner().invoke(cli, ["route", *words])
    assert done.exit_code == 0, done.output
    return done.output


def test_a_report_says_who_was_right_at_what_price_and_what_is_left(tmp_path: Path) -> None:
    with EventLog.open(tmp_path / "log.db") as log:
        local, cloud = Counted(*UNSURE, name="small"), Counted(RIGHT, name="large")
        ask = router(tmp_path, log, local, cloud, "budget.per_day=1.0", run="batch-1")
        asked(ask, posed("one?", "408"), posed("one?", "408"), posed("two?", "409"), posed("three?"))
        sure = router(tmp_path, log, Counted(RIGHT, name="sure"), cloud, "budget.per_day=1.0")
        asked(sure, posed("four?", "408"))
        cloud.down = ModelUnavailable("gone")
        asked(router(tmp_path, log, local, cloud, "budget.per_day=1.0"), posed("five?"))
        local.down = cloud.down
        asked(router(tmp_path, log, local, cloud, "budget.per_day=1.0"), posed("six?"))
    found = json.loads(agent0es("report", "--json", "--store", str(tmp_path)))
    whole = found["all"]
    assert {
        key: whole[key] for key in ("questions", "answered", "failed", "cached", "local", "cloud", "fallbacks")
    } == {
        "questions": 7,
        "answered": 6,
        "failed": 1,
        "cached": 1,
        "local": 2,
        "cloud": 3,
        "fallbacks": 1,
    }
    assert (whole["judged"], whole["right"], whole["accuracy"]) == (3, 2, pytest.approx(2 / 3))
    assert 0 < whole["low"] < 2 / 3 < whole["high"] < 1 and 0 < whole["p50"] <= whole["p95"]
    assert [(row["model"], row["questions"], row["judged"]) for row in found["by_model"]] == [
        ("large", 4, 2),
        ("small", 1, 0),
        ("sure", 1, 1),
    ]
    [domain] = found["by_domain"]
    assert (domain["domain"], domain["questions"]) == ("math", 7)
    day, batch = found["budgets"]
    assert batch["budget"] == "run-batch-1" and batch["limit_usd"] is batch["left_usd"] is None
    assert day["settled_usd"] == pytest.approx(whole["cost_usd"]) and day["unsettled_usd"] == 0.0
    assert day["left_usd"] == pytest.approx(1.0 - whole["cost_usd"])
    with answering(tmp_path) as url:
        page = httpx.get(f"{url}/router", headers={"Accept": "text/html"}, timeout=400.0)
    assert page.status_code == 200, page.text
    shown = [" ".join(re.sub(r"<[^>]+>", " ", row).split()) for row in page.text.split("<tr>")]
    for row in found["by_model"]:  # the same figures: a kept answer is a hit, and judged once
        counts = f"{row['questions']} {row['cached']} {row['fallbacks']} {row['failed']}"
        right = f"{row['right']} of {row['judged']}" if row["judged"] else "unknown"
        assert any(line.startswith(f"{row['model']} {counts} {right}") for line in shown), shown
    assert "7 1 answered from the cache, 1 failed" in " ".join(re.sub(r"<[^>]+>", " ", page.text).split())
    told = agent0es("report", "--store", str(tmp_path))
    assert "7 questions, 6 answered, 1 failed" in told and "2 of 3 judged, 66.7%" in told
    nothing = agent0es("report", "--since", "2999-01-01", "--store", str(tmp_path))
    assert nothing == "The router was asked nothing since 2999-01-01.\n"
    for command in ("report", "show"):
        other = CliRunner().invoke(cli, [command, "routes", "--store", str(tmp_path)])
        assert "routes is no run; what the router came to says: agent0es route report" in str(other.exception)
    wrong = CliRunner().invoke(cli, ["route", "report", "--since", "soon", "--store", str(tmp_path)])
    assert "write it as in 2026-01-31" in str(wrong.exception)


def compare(folder: Path, count: int) -> None:
    """So many questions that both models answer. The local one is right about every other, and is sure of those."""

    def small(request: Any, adapter: str | None) -> str:
        words = request.messages[-1].content + request.prefill
        known = int(words.split("number ")[1].split("?")[0]) % 2 == 0
        return solver(*((RIGHT,) if known else (WRONG, "1", "2", "3", "4", "5", "6")))(request, adapter)

    with EventLog.open(folder / "log.db") as log:
        cloud = Counted(RIGHT, name="large")
        ask = router(folder, log, ScriptedBackend(small, "small"), cloud, "compare=true", run="batch-1")
        asked(ask, *(posed(f"What is number {number}?", "408") for number in range(count)))


def test_a_calibration_says_what_to_set_and_what_that_comes_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent0es.models.embedder.Embedder", lambda file: Embedder())
    compare(tmp_path, LEAST)
    words = ["--store", str(tmp_path), "--set", "router.signals={agreement: 1.0, confidence: 0.5}"]
    picture = tmp_path / "curve.svg"
    found = json.loads(agent0es("calibrate", "--json", "--plot", str(picture), *words))
    measured = found["measured"]
    assert found["questions"] == LEAST and found["domains"] == ["math"] and picture.read_bytes().startswith(b"<?xml")
    assert (measured["always local"]["accuracy"], measured["always cloud"]["accuracy"]) == (0.5, 1.0)
    fitted = measured["fitted"]
    assert fitted["accuracy"] >= 0.9 and 0.4 <= fitted["share_local"] <= 0.6  # wrong drafts may agree by chance
    assert fitted["cost_usd"] == pytest.approx(measured["always cloud"]["cost_usd"] / 2, rel=0.25)
    assert 0.3 < found["router"]["confidence_threshold"] <= 1.0 and "agreement" in found["router"]["signals"]
    assert found["curve"][-1]["share_local"] == 0.0 and found["shown"] == some(found["curve"])
    told = agent0es("calibrate", "--spend", "0.3", *words)
    assert "spend 30% of its cost" in told and "  confidence_threshold: " in told
    both = CliRunner().invoke(cli, ["route", "calibrate", "--keep", "1", "--spend", "1", *words])
    assert "leave one out" in both.output + str(both.exception)


class Embedder(HashEmbedder):
    def close(self) -> None:
        pass


def test_with_too_little_it_says_how_much_more_is_needed(tmp_path: Path) -> None:
    compare(tmp_path, 2)
    done = CliRunner().invoke(cli, ["route", "calibrate", "--store", str(tmp_path)])
    assert f"and it takes {LEAST}: {LEAST - 2} more" in str(done.exception)
    with EventLog.open(tmp_path / "log.db") as log:
        ask = router(tmp_path, log, Counted(RIGHT, name="s"), Counted(RIGHT, name="l"), "compare=true", price=None)
        asked(ask, posed("What?", "408"))
    done = CliRunner().invoke(cli, ["route", "calibrate", "--store", str(tmp_path)])
    assert "nobody knows what the cloud model cost; set router.cloud.input_price" in str(done.exception)


def test_some_points_of_a_curve_are_its_ends_and_some_between() -> None:
    points = [{"share_local": (100 - at) / 100} for at in range(101)]
    shown = some(points, 5)
    assert [point["share_local"] for point in shown] == [1.0, 0.75, 0.5, 0.25, 0.0]
    assert some(points[:3]) == points[:3]
