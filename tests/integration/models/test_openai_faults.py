"""The table of faults, for the backend `openai-compatible`; and no key in what a failing run leaves behind."""

import io
import json
import traceback
from contextlib import redirect_stdout
from pathlib import Path
from urllib.parse import quote

import pytest

from agent0es.errors import Agent0Error
from agent0es.log import EventLog, History
from agent0es.models.base import ModelBackend, Weights
from agent0es.models.http import Key, asking, pacing
from agent0es.models.openai_compatible import OpenAiCompatibleBackend
from agent0es.models.openai_compatible.options import OpenAiOptions
from agent0es.provenance.whole import attempt
from tests.support import http_server as raw
from tests.support import world
from tests.support.fault_table import RUN, SETTINGS, FaultTable, Script
from tests.support.http_server import Answer, HttpServer, Request, json_answer
from tests.support.openai_server import OpenAiServer

BASE = Weights("scripted", Path("base.gguf"), "b" * 64)


class TestFaults(FaultTable):
    path = "chat/completions"
    error_line = b'data: {"error": {"message": "out of luck", "type": "InternalServerError", "code": 500}}\n\n'

    def server(self, script: Script) -> HttpServer:
        return OpenAiServer(script)

    def backend(self, server: HttpServer) -> ModelBackend:
        return OpenAiCompatibleBackend("tiny", server.url, Key(None), OpenAiOptions(first_token_seconds=2), BASE)


SECRET = "sk-planted/0123 456789+"


@pytest.mark.parametrize("status", [400, 401, 402, 500])
def test_a_server_that_repeats_the_key_gets_it_into_no_log(
    status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In its errors, as it was sent and as URLs have it: neither the log nor an export nor what is shown holds it."""

    async def echo(request: Request) -> Answer:
        said = (
            f"{request.headers['authorization']} {quote(SECRET)} http://me:{quote(SECRET, safe='')}@host/?key={SECRET}"
        )
        return json_answer({"error": {"message": said, "code": said}}, status)

    monkeypatch.setattr(asking, "_GROWING", lambda state: 0.01)
    monkeypatch.setenv("PLANTED_KEY", SECRET)
    pacing._servers.clear()
    table, shown, options = TestFaults(), io.StringIO(), OpenAiOptions(tries=2)
    with EventLog.open(tmp_path / "log.db") as log, OpenAiServer(world.respond, key=SECRET) as server:
        world.begin(log, RUN, *SETTINGS)
        key = Key("PLANTED_KEY")
        monkeypatch.setattr(table, "backend", lambda at: OpenAiCompatibleBackend("tiny", at.url, key, options, BASE))
        server.fail(raw.Fault("echo", echo), times=20, on="chat", after=3)
        with pytest.raises(Agent0Error) as failed, redirect_stdout(shown):
            table.drive(log, tmp_path, server)
        said = "".join(traceback.format_exception(failed.value)) + shown.getvalue()
        said += "".join(f"{one.event!r} {dict(one.meta.measured)!r}" for one in log.read())
        names = {one.event.attempt for one in log.read() if hasattr(one.event, "attempt") and one.event.attempt}
        said += "".join(json.dumps(attempt(History.of(log, RUN), RUN, name)) for name in names)
        assert "***" in said, "it was there, and was taken out"
    for file in tmp_path.iterdir():
        said += file.read_bytes().decode(errors="replace")
    for form in (SECRET, quote(SECRET), quote(SECRET, safe=""), "planted", "456789"):
        assert form not in said.replace("PLANTED_KEY", "")
