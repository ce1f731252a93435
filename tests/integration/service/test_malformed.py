"""Requests that no browser sends: what can't be read is refused like what is wrong, and never a fault."""

import http.client
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from starlette.datastructures import Headers

from agent0es.service.security import HEADERS, Access, local_path, refusal
from tests.support.serving import served

TOKEN = "a-token-of-some-length"


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "http://[x]", "null", ""])
def test_an_origin_that_is_no_address_is_another_site(origin: str) -> None:
    headers = Headers({"host": "127.0.0.1:8517", "origin": origin})
    why = refusal(Access(), "POST", headers)
    assert why is not None and why[:2] == (403, "cross-site")


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1/healthz?", "127.0.0.1#x", "127.0.0.1?x", "a@127.0.0.1", "127.0.0.1:abc", "127.0.0.1:99999999", "[::1"],
)
def test_a_host_is_a_name_and_a_port_and_nothing_else(host: str) -> None:
    assert not Access().is_host(host)


@pytest.mark.parametrize("host", ["127.0.0.1", "LOCALHOST:8517", "[::1]:8517", "[::1]", "192.168.0.7:80"])
def test_a_name_of_the_service_is_one_with_and_without_a_port(host: str) -> None:
    assert Access().is_host(host)


@pytest.mark.parametrize("text", ["//[", "//[::1", "http://[", "//evil.test", "/\\evil.test", "/\t/evil.test"])
def test_nobody_is_sent_to_what_is_no_address_within(text: str) -> None:
    assert local_path(text) == "/"


def test_a_running_service_answers_them_with_its_headers(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN)
    with served(tmp_path / "store", "--token-file", str(file)) as service:
        place = urlsplit(service.url)

        def status(method: str, path: str, **headers: str) -> int:
            client = http.client.HTTPConnection(place.hostname or "", place.port, timeout=20)
            try:
                client.request(method, path, headers=headers)
                answer = client.getresponse()
                answer.read()
                assert all(answer.headers[name] for name in HEADERS)
                return answer.status
            finally:
                client.close()

        assert status("POST", "/api/v1/runs", Origin="http://[") == 403
        assert status("GET", f"/login?next={quote('//[', safe='')}") == 200
        assert status("GET", f"//[?token={TOKEN}") == 303
        assert status("GET", "/api/v1/runs", Host="127.0.0.1/healthz?") == 421
