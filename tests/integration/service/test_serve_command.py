"""`agent0es serve`: the address, who may ask, what a browser is told, a clean end."""

import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.integration.test_docs import commands
from tests.support.serving import Served, served

TOKEN = "correct-horse-battery"
HTML = {"Accept": "text/html,application/xhtml+xml"}


@pytest.fixture(scope="module")
def free(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service that everybody on this machine may ask."""
    with served(tmp_path_factory.mktemp("free") / "store") as service:
        yield service


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One that wants a token."""
    folder = tmp_path_factory.mktemp("locked")
    (folder / "token").write_text(f"{TOKEN}\n")
    with served(folder / "store", "--token-file", str(folder / "token"), "--allow-host", "lab.example") as service:
        yield service


@pytest.mark.parametrize("line", [line for line in commands() if line.startswith("agent0es serve")])
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_documented_line_serves_until_it_is_told_to_stop(tmp_path: Path, line: str, how: signal.Signals) -> None:
    with served(tmp_path / "store", *shlex.split(line)[2:], "--port", "0") as service:
        assert httpx.get(f"{service.url}/healthz").json() == {"status": "ok"}
        assert service.stop(how) == (0, "")


def test_every_answer_tells_a_browser_to_trust_nobody_else(free: Served) -> None:
    for path in ("/healthz", "/nothing", "/api/v1/openapi.json"):
        headers = httpx.get(free.url + path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'self'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff" and headers["referrer-policy"] == "same-origin"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("localhost:8517", 200),
        ("[::1]:8517", 200),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("lab.example", 421),
    ],
)
def test_it_must_be_called_by_its_name(free: Served, host: str, status: int) -> None:
    assert httpx.get(f"{free.url}/healthz", headers={"Host": host}).status_code == status


def test_another_name_can_be_allowed(locked: Served) -> None:
    assert httpx.get(f"{locked.url}/healthz", headers={"Host": "lab.example"}).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 303),
        ({"Origin": "URL", "Sec-Fetch-Site": "same-origin"}, 303),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
    ],
)
def test_another_site_can_write_nothing(locked: Served, headers: dict[str, str], status: int) -> None:
    said = {name: value.replace("URL", locked.url) for name, value in headers.items()}
    answer = httpx.post(f"{locked.url}/login", data={"token": TOKEN}, headers=said)
    assert answer.status_code == status


def test_a_body_that_is_too_long_is_refused(free: Served) -> None:
    assert httpx.post(f"{free.url}/login", content=b"x" * (4 * 1024 * 1024 + 1)).status_code == 413
    assert httpx.post(f"{free.url}/login", content=iter([b"token=x"])).status_code == 411


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("&".join(f"a{n}=1" for n in range(600_000)), 413),
        ("%41" * 40_000, 413),
        ("&".join(f"a{n}=1" for n in range(10_000)), 400),
        ("&" * 50_000, 400),
    ],
)
def test_a_form_that_somebody_without_the_token_sends_takes_no_time(locked: Served, body: str, status: int) -> None:
    assert httpx.post(f"{locked.url}/login", content=body, timeout=20).status_code == status


def test_without_the_token_nobody_learns_anything(locked: Served) -> None:
    document = f"{locked.url}/api/v1/openapi.json"
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}, {"Cookie": "x=y"}):
        refused = httpx.get(document, headers=headers)
        assert refused.status_code == 401 and refused.headers["www-authenticate"] == "Bearer"
        assert refused.headers["content-type"] == "application/problem+json"
    assert httpx.get(document, headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
    assert httpx.get(f"{locked.url}/v1/models").json()["error"]["code"] == "unauthorized"


def test_a_person_gives_the_token_in_a_form(locked: Served) -> None:
    with httpx.Client(base_url=locked.url, follow_redirects=False) as browser:
        sent = browser.get("/api/v1/openapi.json?a=1", headers=HTML)
        assert (sent.status_code, sent.headers["location"]) == (303, "/login?next=%2Fapi%2Fv1%2Fopenapi.json%3Fa%3D1")
        assert 'value="/api/v1/openapi.json?a=1"' in browser.get(sent.headers["location"]).text
        assert browser.post("/login", data={"token": "wrong"}).status_code == 403
        done = browser.post("/login", data={"token": TOKEN, "next": "/api/v1/openapi.json?a=1"})
        assert (done.status_code, done.headers["location"]) == (303, "/api/v1/openapi.json?a=1")
        cookie = done.headers["set-cookie"]
        assert "HttpOnly" in cookie and "SameSite=strict" in cookie and TOKEN not in cookie
        assert browser.get("/api/v1/openapi.json").status_code == 200


def test_a_link_with_the_token_opens_the_page_without_it(locked: Served) -> None:
    with httpx.Client(base_url=locked.url) as browser:
        sent = browser.get(f"/api/v1/openapi.json?a=1&token={TOKEN}", headers=HTML)
        assert (sent.status_code, sent.headers["location"]) == (303, "/api/v1/openapi.json?a=1")
        assert browser.get(sent.headers["location"]).status_code == 200


@pytest.mark.parametrize("where", ["https://evil.example/", "//evil.example", "/\\evil.example", "evil", "/a\r\nb"])
def test_nobody_is_sent_elsewhere_by_the_form(locked: Served, where: str) -> None:
    done = httpx.post(f"{locked.url}/login", data={"token": TOKEN, "next": where})
    assert (done.status_code, done.headers["location"]) == (303, "/")
    page = httpx.get(f"{locked.url}/login", params={"next": '"><script>alert(1)</script>'}).text
    assert "<script" not in page


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--host", "0.0.0.0"], "needs a token"),
        (["--host", "0.0.0.0", "--token-file", "TOKEN"], "--plain-http"),
        (["--token-file", "SHORT"], "16 characters"),
        (["--token-file", "NONE"], "NONE"),
        (["--tls-cert", "TOKEN"], "belong together"),
        (["--tls-cert", "TOKEN", "--tls-key", "TOKEN"], "--tls-cert"),
        (["--host", "256.1.1.1"], "token"),
        (["--port", "PORT"], "in use"),
    ],
)
def test_what_cannot_be_served_is_said_in_one_line(
    tmp_path: Path, free: Served, arguments: list[str], said: str
) -> None:
    (tmp_path / "TOKEN").write_text(TOKEN)
    (tmp_path / "SHORT").write_text("short")
    words = [word.replace("PORT", free.url.rpartition(":")[2]) for word in arguments]
    done = subprocess.run(
        [sys.executable, "-m", "agent0es", "serve", *words], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2 and done.stdout == ""
    assert said in done.stderr and done.stderr.count("\n") == 1
