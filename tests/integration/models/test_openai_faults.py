"""A server that repeats the key in what it says: no key in what a failing run leaves behind."""

import asyncio
import io
import json
import traceback
from contextlib import redirect_stdout
from pathlib import Path
from urllib.parse import quote

import pytest

from agent0es.errors import Agent0Error
from agent0es.log import EventLog, History
from agent0es.models.http import Key, asking
from agent0es.models.openai_compatible import OpenAiCompatibleBackend
from agent0es.models.openai_compatible.options import OpenAiOptions
from agent0es.provenance.whole import attempt
from agent0es.runs.driving import drive
from agent0es.runs.settings import configuration_of
from tests.support import http_server as raw
from tests.support import world
from tests.support.http_server import Answer, Request, json_answer
from tests.support.openai_server import OpenAiServer

RUN = "r"
SETTINGS = ("execution.deterministic=true", "execution.tasks_per_iteration=1", "training.minimum_examples=1000")
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

    async def fails(log: EventLog, url: str) -> None:
        backend = OpenAiCompatibleBackend("tiny", url, Key("PLANTED_KEY"), OpenAiOptions(tries=2))
        try:
            await drive(world.ports(tmp_path, log, RUN, configuration_of(log, RUN), backend), [])
        finally:
            await backend.close()

    monkeypatch.setattr(asking, "_GROWING", lambda state: 0.01)
    monkeypatch.setenv("PLANTED_KEY", SECRET)
    shown = io.StringIO()
    with EventLog.open(tmp_path / "log.db") as log, OpenAiServer(world.respond, key=SECRET) as server:
        world.begin(log, RUN, *SETTINGS)
        server.fail(raw.Fault("echo", echo), times=20, on="chat", after=3)
        with pytest.raises(Agent0Error) as failed, redirect_stdout(shown):
            asyncio.run(fails(log, server.url))
        said = "".join(traceback.format_exception(failed.value)) + shown.getvalue()
        said += "".join(f"{one.event!r} {dict(one.meta.measured)!r}" for one in log.read())
        names = {one.event.attempt for one in log.read() if hasattr(one.event, "attempt") and one.event.attempt}
        said += "".join(json.dumps(attempt(History.of(log, RUN), RUN, name)) for name in names)
        assert "***" in said, "it was there, and was taken out"
    for file in tmp_path.iterdir():
        said += file.read_bytes().decode(errors="replace")
    for form in (SECRET, quote(SECRET), quote(SECRET, safe=""), "planted", "456789"):
        assert form not in said.replace("PLANTED_KEY", "")
