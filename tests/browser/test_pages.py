"""The pages in a real browser, over a real service and a real run of the embedded model."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.browser.conftest import SECONDS, start
from tests.support.serving import Served

AXE = (Path(__file__).parent / "axe" / "axe.min.js").read_text(encoding="utf-8")
TASKS = 12


class Watched:
    """A page, with everything that a browser complains of and every address that it asks."""

    def __init__(self, browser: Any, url: str, width: int = 1280, scheme: str = "light") -> None:
        self.url, self.complaints, self.asked = url, [], []
        self.context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        self.page = self.context.new_page()
        self.page.set_default_timeout(SECONDS * 1000)
        self.page.on("console", lambda m: self.complaints.append(m.text) if m.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))

    def open(self, path: str) -> Any:
        answer = self.page.goto(self.url + path)
        assert answer.ok, f"{path}: {answer.status}"
        return self.page

    def until(self, expression: str, value: Any = True) -> None:
        """Wait until an expression has a value. Playwright's own way needs eval, which the policy forbids."""
        until = time.monotonic() + SECONDS
        while (found := self.page.evaluate(expression)) != value:
            assert time.monotonic() < until, f"{expression} is {found!r}"
            time.sleep(0.1)

    def check(self) -> None:
        assert self.complaints == []
        assert [url for url in self.asked if not url.startswith((self.url, "data:"))] == []

    def close(self) -> None:
        self.context.close()


def press(page: Any, name: str) -> None:
    """Press a button and wait for the page that it leads to."""
    with page.expect_navigation():
        page.get_by_role("button", name=name, exact=True).click()


def until_rows_say(service: Served, *words: str) -> None:
    """Wait until the list of runs has all these words."""
    until, rows = time.monotonic() + SECONDS, ""
    while not all(word in rows for word in words):
        assert time.monotonic() < until, rows
        time.sleep(0.5)
        rows = httpx.get(f"{service.url}/runs/rows", timeout=SECONDS).text


@pytest.fixture(scope="module")
def run(browser: Any, service: Served, store: Path) -> Iterator[str]:
    """The name of a run that is over; it was watched while it went on."""
    watched = Watched(browser, service.url)
    page = watched.open("/runs")
    assert page.get_by_text("There is no run in this store yet").is_visible()
    process = start(store, TASKS)
    page.locator("tbody th a").first.click()  # which came by itself
    name = page.locator("h1").inner_text()
    assert page.locator("#status").inner_text() in ("running", "completed")
    head = int(page.locator("#at").get_attribute("max"))
    watched.until(f"Number(document.getElementById('at').max) > {head}")  # new events, without a reload
    watched.until("document.getElementById('status').textContent === 'completed'")
    said = process.communicate(timeout=SECONDS)[0]
    assert process.returncode == 0, said
    watched.until(f"document.querySelector('[data-body=summary]').textContent.includes('of {TASKS} proposed')")
    watched.check()
    watched.close()
    yield name


def test_the_slider_shows_any_moment_of_a_run(browser: Any, service: Served, run: str, shots: Path) -> None:
    watched = Watched(browser, service.url)
    page = watched.open(f"/runs/{run}")
    watched.until("map.points.length > 0")
    page.screenshot(path=shots / "run.png", full_page=True)
    figures = page.locator("[data-body=summary]")
    at_the_end = figures.inner_text()
    slider = page.locator("#at")
    slider.evaluate("e => { e.value = e.min; e.dispatchEvent(new Event('input', {bubbles: true})) }")
    watched.until("document.querySelector('[data-body=event]').textContent.includes('RunStarted')")
    assert re.search(r"tasks\s+0", figures.inner_text())
    assert "?at=" in page.url
    page.keyboard.press("Escape")
    slider.focus()
    page.keyboard.press("ArrowRight")
    watched.until("!location.search.endsWith('at=1')")
    page.locator("summary", has_text="Milestones").click()
    page.locator("[data-goto]", has_text="IterationStarted").first.click()
    watched.until("document.querySelector('.now').textContent.includes('IterationStarted')")
    address = page.url
    page.locator("#live").click()
    watched.until("document.querySelector('[data-body=summary]').innerText", at_the_end)
    page.goto(address)  # the address says the moment
    assert "IterationStarted" in page.locator(".now").inner_text()
    watched.check()
    watched.close()


def test_an_episode_shows_every_step(browser: Any, service: Served, run: str, shots: Path) -> None:
    watched = Watched(browser, service.url)
    page = watched.open(f"/runs/{run}")
    page.locator("[data-body=tasks] tbody a").last.click()
    assert page.locator(".attempts section").count() == 2
    assert page.get_by_text("true answer").is_visible()
    page.locator(".attempts summary", has_text="Prompt").first.click()
    page.locator(".attempts summary", has_text="events").first.click()
    page.screenshot(path=shots / "episode.png", full_page=True)
    page.locator(".attempts ol a").first.click()
    assert page.locator("h1").inner_text() == "AttemptStarted"
    watched.check()
    watched.close()


def test_a_fork_from_the_past_is_confirmed_begun_and_stopped(browser: Any, service: Served, run: str) -> None:
    watched = Watched(browser, service.url)
    page = watched.open(f"/runs/{run}")
    page.locator("[data-goto]").last.click()
    watched.until("location.search.startsWith('?at=')")
    at = page.url.partition("at=")[2]
    page.locator("a", has_text="Fork here").click()
    assert page.locator("#at").input_value() == at
    page.locator("#settings").fill("execution.tasks_per_iteration=40")
    press(page, "Go on")
    command = page.locator("pre").inner_text()
    assert f"agent0es fork {run} --at {at} --set execution.tasks_per_iteration=40" in command
    press(page, "Fork a run")
    page.wait_for_selector("#status")
    fork = page.locator("h1").inner_text()
    assert fork != run
    page.locator("a", has_text="Pause").click()
    assert "kill -TERM" in page.locator("pre").inner_text()
    press(page, "Pause a run")
    until_rows_say(service, "interrupted", "fork of")
    page = watched.open(f"/compare?a={fork}")
    assert "They share everything up to event" in page.locator("main").inner_text()
    watched.check()
    watched.close()


def test_sql_gives_a_table_and_a_chart_and_refuses_the_rest(browser: Any, service: Served, run: str) -> None:
    watched = Watched(browser, service.url)
    page = watched.open("/sql")
    page.locator("#q").fill("SELECT position, total FROM rewards ORDER BY position")
    press(page, "Ask")
    assert page.locator("[aria-label=Answer] tbody tr").count() == TASKS * 3
    assert page.locator(".plot canvas").is_visible()
    page.locator("#q").fill("COPY (SELECT 1) TO '/tmp/escaped.csv'")
    press(page, "Ask")
    assert "not a query" in page.locator("[role=alert]").inner_text()
    watched.check()
    watched.close()


PAGES = (
    "/runs",
    "/runs/{run}",
    "/runs/{run}/tasks/1",
    "/runs/{run}/events/2",
    "/audit",
    "/sql?q=FROM+runs",
    "/do/start",
    "/alerts",
    "/schedules",
    "/do/schedule",
)


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_pages_can_be_read_by_everybody(
    browser: Any, service: Served, run: str, shots: Path, width: int, scheme: str
) -> None:
    watched = Watched(browser, service.url, width, scheme)
    found: dict[str, list[str]] = {}
    for path in (*PAGES, "/do/start", "/compare", "/router", f"/lineage/{run}/1", f"/do/fork?run={run}&at=3"):
        page = watched.open(path.format(run=run))
        page.evaluate(AXE)
        report = page.evaluate("axe.run({resultTypes: ['violations']})")
        said = [
            f"{one['id']}: {one['nodes'][0]['html'][:120]}"
            for one in report["violations"]
            if one["impact"] in ("serious", "critical")
        ]
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        found[path] = [*said, *([f"{wide} pixels too wide"] if wide > 0 else [])]
        page.screenshot(path=shots / f"{re.sub(r'[^a-z]+', '-', path)}-{width}-{scheme}.png", full_page=True)
    assert {path: said for path, said in found.items() if said} == {}
    watched.check()
    watched.close()
