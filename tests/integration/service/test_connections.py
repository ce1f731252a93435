"""Connections that ask for nothing, take their time, or say what is no request."""

import logging
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from agent0es.service import connections
from agent0es.service.security import HEADERS
from tests.support.serving import answering

SECONDS = 0.5
PATIENT = 20.0
SSE = b"GET /api/v1/events/stream HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(connections, "REQUEST_SECONDS", SECONDS)
    (tmp_path / "store").mkdir()
    with answering(tmp_path / "store") as url:
        yield url


def connected(url: str) -> socket.socket:
    place = urlsplit(url)
    return socket.create_connection((place.hostname, place.port), timeout=PATIENT)


def told(client: socket.socket) -> bytes:
    """What comes until the connection is closed."""
    said = b""
    try:
        while piece := client.recv(65536):
            said += piece
    except ConnectionResetError:
        pass
    return said


@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-A: ",
        b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\na",
        b"POST /api/v1/sql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nG",
    ],
)
def test_who_does_not_come_to_an_end_is_sent_away(url: str, begun: bytes, caplog: pytest.LogCaptureFixture) -> None:
    with connected(url) as client:
        client.sendall(begun)
        told(client)
    assert httpx.get(f"{url}/healthz").status_code == 200
    assert [one for one in caplog.records if one.levelno >= logging.ERROR] == []


def test_a_long_answer_is_not_cut_off(url: str) -> None:
    with connected(url) as client:
        client.sendall(SSE)
        client.settimeout(3 * SECONDS)
        with pytest.raises(TimeoutError):  # it is open still
            while client.recv(65536):
                pass


def test_who_asks_again_and_again_stays(url: str) -> None:
    with httpx.Client(base_url=url) as client:
        until = time.monotonic() + 3 * SECONDS
        while time.monotonic() < until:
            assert client.get("/healthz").status_code == 200
            time.sleep(SECONDS / 4)


def test_there_are_only_so_many_at_a_time(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 3)
    idle = [connected(url) for _ in range(3)]
    with connected(url) as client:
        assert told(client) == b""
    for one in idle:
        told(one)  # they are sent away
        one.close()
    assert httpx.get(f"{url}/healthz").status_code == 200


@pytest.mark.parametrize(
    "said",
    [
        b"GET /healthz HTTP/1.1\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: local\0host\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    ],
)
def test_what_is_no_request_is_refused_with_the_headers_of_every_answer(url: str, said: bytes) -> None:
    with connected(url) as client:
        client.sendall(said)
        lines = told(client).decode().splitlines()
    assert lines[0] == "HTTP/1.1 400 Bad Request"
    assert {f"{name}: {value}" for name, value in HEADERS.items()} <= set(lines)
