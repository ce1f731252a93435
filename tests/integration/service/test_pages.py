"""The pages over a log in which every text that a model could have written is hostile."""

import asyncio
import csv
import io
import json
import random
import re
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from pyarrow import parquet

from agent0es.configuration import Configuration
from agent0es.log import EventLog, NewEvent
from agent0es.projections import Projections
from agent0es.runs import querying, watching
from agent0es.service.app import create_app
from agent0es.service.context import opened
from agent0es.service.pages import drawing, forms, plots, sql
from agent0es.service.pages.rendering import STATIC, render
from agent0es.service.pages.standalone import standalone, without_links
from agent0es.service.security import Access
from tests.unit.projections.history import history

HOSTILE = """</pre></script><script>alert(1)</script><img src=x onerror=alert(2)>"'{{ 7*7 }}\x1b[2J‮"""
TEXTS = frozenset(
    "description text output input answer explanation reason message detail stdout stderr reference reference_action "
    "method error".split()
)
"""Fields that hold what a model may have written."""
RUN = "20261130-000000"
PATHS = [
    "/runs",
    f"/runs/{RUN}",
    f"/runs/{RUN}?at=40",
    f"/runs/{RUN}/tasks/1",
    f"/runs/{RUN}/tasks/2",
    f"/runs/{RUN}/attempts/1/0",
    f"/runs/{RUN}/held-out",
    f"/runs/{RUN}/attempts/eval/student-1/17",
    f"/audit?run={RUN}",
    f"/audit/{RUN}/1/0%231",
    f"/lineage/{RUN}/student-1",
    f"/lineage/{RUN}/1",
    "/compare",
    f"/compare?a={RUN}&b={RUN}",
    "/sql?q=SELECT+description,+reference+FROM+tasks",
    f"/sql?q={quote(HOSTILE)}",
    "/router",
    "/alerts",
    "/schedules",
    "/do/schedule",
    f"/do/unschedule?name={quote(HOSTILE)}",
    f"/{quote(HOSTILE.replace('/', '|'))}",
    f"/runs/{RUN}/tasks/{quote(HOSTILE.replace('/', '|'))}",
    "/do/start",
    f"/do/fork?run={RUN}&at={quote(HOSTILE)}",
    f"/do/retract?run={RUN}&what={quote(HOSTILE)}",
    f"/do/whatif?run={RUN}",
    f"/runs/{quote(HOSTILE.replace('/', '|'))}",
    f"/do/{quote(HOSTILE.replace('/', '|'))}",
]


def poisoned(value: Any, key: str = "") -> Any:
    """The value with every free text made hostile."""
    if isinstance(value, dict):
        return {name: poisoned(inner, name) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(poisoned(inner, key) for inner in value)
    return f"{value}{HOSTILE}" if key in TEXTS and isinstance(value, str) else value


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    with EventLog.open(folder / "log.db") as log:
        for new in history(random.Random(5), RUN, iterations=2, tasks=4):
            content = new.event.model_dump()
            kept = {"ProposalRejected", "TrainingFailed", "RunStopped"} if "reason" in content else set()
            dirty = content if content["type"] in kept else poisoned(content)
            try:
                event = type(new.event).model_validate(dirty)
            except ValueError:  # a text that is one of a few words
                event = new.event
            log.append([NewEvent(new.stream, event, new.measured)], handler="test")
    return folder


@pytest.fixture(scope="module")
def answers(store: Path) -> dict[str, httpx.Response]:
    """Every page, asked as a browser asks."""

    async def ask() -> dict[str, httpx.Response]:
        async with opened(store, Configuration(), with_router=False) as service:
            transport = httpx.ASGITransport(create_app(service, Access()))
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                found = {path: await client.get(path, headers={"Accept": "text/html"}) for path in PATHS}
                found["panels"] = await client.get(f"/runs/{RUN}/panels", headers={"Accept": "application/json"})
                found["verify"] = await client.post("/audit/verify")
                found["elsewhere"] = await client.post("/audit/verify", headers={"Origin": "https://evil.example"})
                found["static"] = await client.get("/static/../rendering.py")
                return found

    return asyncio.run(ask())


class Tags(HTMLParser):
    """What a browser would run, and links that leave."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        ours = (given.get("src") or "").startswith("/static/") or given.get("type") == "application/json"
        if tag == "script" and not ours:
            self.found.append(f"<script {given}>")
        if tag in ("style", "iframe", "object", "base") or given.keys() & {"style", "onerror", "onclick", "onload"}:
            self.found.append(f"<{tag} {given}>")
        for name in ("href", "src", "action"):
            if name in given and not (given[name] or "").startswith(("/", "#", "?")):
                self.found.append(f"<{tag} {name}={given[name]}>")


def tags(html: str) -> list[str]:
    """But for the house's own style, which pages about errors have inside."""
    parser = Tags()
    parser.feed(html.replace(f"<style>{(STATIC / 'app.css').read_text(encoding='utf-8')}</style>", ""))
    return parser.found


@pytest.mark.parametrize("path", PATHS)
def test_nothing_that_a_model_wrote_is_run(answers: dict[str, httpx.Response], path: str) -> None:
    answer = answers[path]
    assert answer.status_code < 500, answer.text
    assert answer.headers["content-type"].startswith("text/html")
    assert tags(answer.text) == []


def test_pages_show_hostile_texts_as_texts(answers: dict[str, httpx.Response]) -> None:
    assert "&lt;script&gt;alert(1)" in answers[f"/runs/{RUN}/tasks/1"].text
    assert "{{ 7*7 }}" in answers[f"/runs/{RUN}/tasks/1"].text
    for body in answers["panels"].json()["bodies"].values():
        assert tags(body) == []


def test_the_chain_is_verified_for_who_asks_from_here(answers: dict[str, httpx.Response]) -> None:
    assert "sound" in answers["verify"].text
    assert answers["elsewhere"].status_code == 403
    assert answers["static"].status_code == 404


def test_a_run_as_one_file_asks_nobody(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "task_map", lambda *_: [{"family": HOSTILE}])
    with EventLog.open(store / "log.db", read_only=True) as log, Projections.open(log) as tables:
        tables.catch_up()
        page = standalone(log, tables, store, RUN)
    assert not re.search(r"""(?:src|href)=["']?(?:/|http)""", page.partition("<script type")[0])
    assert page.count("<script") == page.count("</script") == 3  # two of data, and ours
    [points] = re.findall(r'<script type="application/json" id="points">(.*?)</script>', page)
    assert json.loads(points) == [{"family": HOSTILE}]
    assert "default-src &#39;none&#39;" in page


def test_a_line_of_an_export_is_json_whatever_is_in_the_row() -> None:
    line = sql.json_line(["share", "cost", "time"], (float("nan"), Decimal("1.5"), datetime(2026, 1, 31, 12)))
    assert json.loads(line, parse_constant=pytest.fail) == {
        "share": None,
        "cost": 1.5,
        "time": "2026-01-31T12:00:00+00:00",
    }


@pytest.mark.parametrize(
    "text", ["=1+2", "+cmd|' /C calc'!A1", "-2+3", "@SUM(1)", "\t=1", " =1", "\r=1", "--1", "-", "+a"]
)
def test_no_text_of_an_export_is_a_formula_of_a_spreadsheet(text: str) -> None:
    [cells] = csv.reader(io.StringIO(sql.csv_line(["a", "b"], (text, 1)), newline=""))
    assert cells == [f"'{text}", "1"]


@pytest.mark.parametrize("value", [-5, -1.5, Decimal("-2"), "-5", "+3.25", "-1e-3", "a=b", "'=1", "", "12", "-.5"])
def test_numbers_and_other_texts_of_an_export_stay(value: Any) -> None:
    [cells] = csv.reader(io.StringIO(sql.csv_line(["a", "b"], (value, None)), newline=""))
    assert cells == [str(value), ""]


@pytest.mark.parametrize("form", ["csv", "json", "parquet"])
def test_an_export_has_all_rows_and_is_not_larger_than_it_may_be(
    store: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    async def ask() -> tuple[httpx.Response, httpx.Response]:
        async with opened(store, Configuration(), with_router=False) as service:
            transport = httpx.ASGITransport(create_app(service, Access()))
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                asked = {"q": "SELECT range AS a, 'é' AS b FROM range(5000)", "format": form}
                whole = await client.get("/sql/export", params=asked)
                monkeypatch.setattr(querying, "MOST_BYTES", 10_000)
                return whole, await client.get("/sql/export", params=asked)

    whole, cut = asyncio.run(ask())
    if form == "parquet":
        assert parquet.read_table(io.BytesIO(whole.content)).num_rows == 5000
    else:
        assert len(whole.text.splitlines()) == 5000 + (form == "csv") and "4999" in whole.text.splitlines()[-1]
        assert cut.status_code == 400 and "10,000 bytes" in cut.text


def test_a_page_shows_no_more_than_a_browser_can_bear(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(querying, "MOST_CHARACTERS", 1000)
    with EventLog.open(store / "log.db", read_only=True) as log:
        shown = querying.answer(log, store, "SELECT repeat('x', 300) FROM range(50)")
    assert len(shown.rows) == 4 and shown.more


def test_links_are_left_out_and_texts_stay() -> None:
    assert without_links('<p><a class="x" href="/y">12</a> &lt;a&gt;</p>') == "<p>12 &lt;a&gt;</p>"


@pytest.mark.parametrize(
    "query",
    [
        "COPY (SELECT 1) TO '/tmp/escaped.csv'",
        "ATTACH '/tmp/other.db'",
        "INSTALL httpfs",
        "FROM read_csv('/etc/passwd')",
        "FROM '/etc/passwd'",
        "DELETE FROM facts.event",
        "SET enable_external_access = true",
        "SELECT getenv('HOME')",
        "SELECT 1; SELECT 2",
    ],
)
def test_the_query_box_reads_tables_and_nothing_else(store: Path, query: str) -> None:
    from agent0es.errors import UserError

    with EventLog.open(store / "log.db", read_only=True) as log, pytest.raises(UserError):
        querying.answer(log, store, query)


def test_a_query_that_takes_too_long_is_stopped(store: Path) -> None:
    from agent0es.errors import QueryError

    with EventLog.open(store / "log.db", read_only=True) as log, pytest.raises(QueryError, match="too long"):
        querying.answer(log, store, "SELECT count(*) FROM range(10000000000) a, range(1000) b", seconds=0.2)


@pytest.mark.parametrize(
    ("columns", "rows", "lines", "unit"),
    [
        (["n", "share"], [(1, 0.5), (2, 0.6)], ["share"], "n"),
        (["name", "events"], [("a", 3), ("b", 1)], ["events"], "row"),
        (["n", "m"], [(2, 1), (1, None)], ["n", "m"], "row"),
    ],
)
def test_an_answer_with_numbers_is_drawn(
    columns: list[str], rows: list[tuple[Any, ...]], lines: list[str], unit: str
) -> None:
    plot = plots.of_answer(columns, rows)
    assert plot is not None
    assert ([one["label"] for one in plot["series"]], plot["unit"]) == (lines, unit)


@pytest.mark.parametrize("rows", [[], [(1,)], [("a",), ("b",)], [(None,), (None,)], [(float("nan"),), (1.0,)]])
def test_an_answer_without_numbers_is_not(rows: list[tuple[Any, ...]]) -> None:
    assert plots.of_answer(["x"], rows) is None


def test_the_form_of_a_run_has_every_key_and_gives_back_what_was_changed() -> None:
    defaults = Configuration().model_dump(mode="json")
    known = forms.fields(Configuration.model_json_schema(), defaults)
    keys = {field.key for field in known}
    assert {*forms.IMPORTANT, "training.method", "sandbox.tier", "models.teacher.temperature"} <= keys
    first, rest = forms.by_section(known)
    assert [field.key for field in first] == list(forms.IMPORTANT)
    assert {field.key for fields in rest.values() for field in fields} == keys - set(forms.IMPORTANT)
    given = {field.key: field.default for field in known}
    assert forms.changed(given, known) == []
    assert forms.changed({**given, "seed": " 7 ", "run": "x"}, known) == ["seed=7"]


def test_a_text_that_turns_the_direction_of_reading_turns_nothing_after_it() -> None:
    alert = {"rule": "x", "message": "\u202eevil", "run": "one", "position": 7, "raised": "2026-01-31T12:00:00+00:00"}
    assert "<bdi>\u202eevil</bdi> <a " in render("panels/raised.html", raised=[alert])


def test_marks_that_are_too_near_give_way_to_the_later_one() -> None:
    assert drawing.thinned([(0.0, "a"), (0.1, "b"), (5.0, "c")]) == [(0.1, "b"), (5.0, "c")]
    assert drawing.thinned([]) == []


@pytest.fixture(autouse=True)
def _nothing_escaped() -> Iterator[None]:
    yield
    assert not Path("/tmp/escaped.csv").exists()
