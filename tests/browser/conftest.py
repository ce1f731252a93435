"""A browser, and a service over a store with a real run that is started while somebody watches."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.serving import ROOT, Served, served

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install '.[dev]'")

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SECONDS = 200.0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/browser/" in item.nodeid:
            item.add_marker(pytest.mark.browser)
            if CHROMIUM is None:
                item.add_marker(pytest.mark.skip(reason="there is no chromium; apt-get install chromium"))


@pytest.fixture(scope="module")
def browser() -> Iterator["playwright.Browser"]:
    with playwright.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture(scope="module")
def shots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots are kept to be looked at."""
    return tmp_path_factory.mktemp("screenshots")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("pages") / "store") as running:
        yield running


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, service: Served) -> Path:
    return next(tmp_path_factory.getbasetemp().glob("pages*/store"))


def start(store: Path, tasks: int) -> "subprocess.Popen[str]":
    """A real run of the embedded model, in a process of its own."""
    words = ["run", "--tasks", str(tasks), "--iterations", "1", "--store", str(store), "--set", "training.roles=[]"]
    return subprocess.Popen(
        [sys.executable, "-m", "agent0es", *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
