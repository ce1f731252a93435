"""Logs that an earlier version wrote, `tests/data/before`: read, verified, resumed, forked and audited as they are."""

import json
import lzma
import shutil
import sqlite3
from collections import defaultdict
from pathlib import Path

import pytest

from agent0es.domain import events as ev
from agent0es.log import EventLog
from agent0es.log.mapper import encode_content
from agent0es.models.chat_template import ChatTemplate
from agent0es.models.gguf_file import GgufFile
from agent0es.models.weights import find_weights
from tests.support.commands import answer, json_answer, json_answers

DATA = Path(__file__).parents[2] / "data" / "before"
RUN, FORK, REPLAYED, INTERRUPTED = "20261129-031723", "20261129-033410", "20261129-071521", "20261129-071547"


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store for each log."""
    folder = tmp_path_factory.mktemp("before")
    for file in DATA.glob("*.db.xz"):
        store = folder / {"real": "recording"}.get(file.name.split(".")[0], file.name.split(".")[0])
        store.mkdir()
        (store / "log.db").write_bytes(lzma.decompress(file.read_bytes()))
    return folder


@pytest.fixture
def here(logs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with stores of one's own."""
    shutil.copytree(logs, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rows(store: Path) -> list[tuple[object, ...]]:
    with sqlite3.connect(store / "log.db") as connection:
        return list(
            connection.execute("SELECT seq, stream, version, topic, state, chain_hash FROM events ORDER BY seq")
        )


def decided(store: Path, run: str) -> dict[str, list[str]]:
    """Stream, without the run's name, to the hashes of its contents, of whatever version they were written in."""
    with EventLog.open(store / "log.db", read_only=True) as log:
        found = defaultdict(list)
        for recorded in log.read(run=run):
            if not isinstance(recorded.event, ev.RunStarted | ev.AttemptAbandoned):
                found[recorded.stream.replace(run, "RUN")].append(encode_content(recorded.event).sha256)
    return found


@pytest.mark.parametrize(
    ("store", "run", "kinds"),
    [("recording", RUN, 13), ("recording", FORK, 7), ("replayed", REPLAYED, 9), ("interrupted", INTERRUPTED, 5)],
)
def test_its_chain_holds_and_every_decision_follows(here: Path, store: str, run: str, kinds: int) -> None:
    before = rows(here / store)
    assert answer(here / store, "log", "verify").startswith("ok: ")
    verified = json_answer(here / store, "replay", run, "--verify")
    assert verified["difference"] is None and len(verified["checked"]) >= kinds
    assert rows(here / store) == before


def test_every_prompt_is_written_as_it_was(here: Path) -> None:
    """Byte for byte: the pieces that the log holds, against the messages that they are read as, in SmolLM2's format."""
    template = ChatTemplate.of(GgufFile.open(find_weights("smollm2-135m-instruct").path))
    with sqlite3.connect(here / "recording" / "log.db") as connection:
        texts = dict(connection.execute("SELECT sha256, text FROM texts"))
        states = connection.execute("SELECT seq, state FROM events WHERE topic = 'ModelCalled@2'").fetchall()
    before = {
        seq: "".join(texts[piece["$text"]] if isinstance(piece, dict) else piece for piece in pieces)
        for seq, pieces in ((seq, json.loads(state)["content"]["prompt"]) for seq, state in states)
    }
    with EventLog.open(here / "recording" / "log.db", read_only=True) as log:
        calls = {r.position: r.event for r in log.read(types=["ModelCalled"]) if isinstance(r.event, ev.ModelCalled)}
    assert len(before) > 800
    for seq, prompt in before.items():
        read = calls[seq].prompt
        assert template.render(read.messages, read.begun) == prompt
        assert all(part.role != "user" or "<|im_" not in part.text for part in (*read.opening, *read.turns))


def test_an_interrupted_run_is_resumed_to_the_end_that_it_had(here: Path) -> None:
    store = here / "interrupted"
    before = rows(store)
    answer(store, "run", "--resume", INTERRUPTED, "--json")
    assert rows(store)[: len(before)] == before
    assert answer(store, "log", "verify").startswith("ok: ")
    assert json_answer(store, "replay", INTERRUPTED, "--verify")["difference"] is None
    whole, again = decided(here / "replayed", REPLAYED), decided(store, INTERRUPTED)
    assert whole.keys() == again.keys() - {"attempt/RUN/9/1.1"}, "what the kill cut off is made again under this name"
    named_by_it = {"attempt/RUN/9/1", "task/RUN/9"}
    assert [stream for stream in whole.keys() - named_by_it if whole[stream] != again[stream]] == []


def test_it_is_forked_and_the_parent_stays_as_it_was(here: Path) -> None:
    store = here / "replayed"
    before = rows(store)
    answer(store, "fork", REPLAYED, "--at", "300", "--json", "--set", "rewards.weights={correctness: 1}")
    assert rows(store)[: len(before)] == before
    assert json_answer(store, "replay", "latest", "--verify")["difference"] is None


def test_it_is_audited_and_looked_at(here: Path) -> None:
    store = here / "recording"
    calls = json_answers(store, "audit", RUN)
    assert len(calls) >= 208 and {"python", "tests"} == {call["tool"] for call in calls}
    assert all(call["status"] != "unknown" for call in calls)
    lineage = json_answer(store, "lineage", "student-1", "--run", RUN)
    assert lineage["tainted_by"] == ["16/0"] and lineage["status"] == "rejected"
    rebuilt = json_answer(store, "lineage", "student-1-clean", "--run", RUN)
    assert rebuilt["trained"] and "16/0" not in {made["attempt"] for made in rebuilt["attempts"]}
    assert json_answer(store, "show", "16/0", "--run", RUN)["attempt"] == "16/0"
    assert {run["run"]: run["status"] for run in json_answers(store, "runs")} == dict.fromkeys((RUN, FORK), "completed")
    assert "student-1-clean" in answer(store, "report", RUN)
    assert json_answer(store, "diff", RUN, FORK)["parting"]["shared_until"] == 411
