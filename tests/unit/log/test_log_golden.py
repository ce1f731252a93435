"""Events that were written once can be read for ever."""

import json
from typing import Any, get_args

import pytest

from agent0es.domain.events import Event
from agent0es.errors import LogError
from agent0es.log import UPCASTERS, EventLog
from agent0es.log.mapper import Content, decode_content, encode_content, encode_state
from agent0es.log.recorders import NewRow
from agent0es.log.records import Meta
from agent0es.log.upcasting import CURRENT_VERSIONS
from tests.unit.log.make_golden import FOLDER, shape
from tests.unit.log.samples import begin, configured, iteration

MODELS = {kind.model_fields["type"].default: kind for kind in get_args(Event)}
FILES = sorted(FOLDER.glob("*.json"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_golden_file_is_read(path: Any) -> None:
    golden = json.loads(path.read_text())
    kind, _, version = path.stem.partition("@")
    data = json.dumps(golden["content"], sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    event = decode_content(data, {})
    assert event.type == kind
    assert event.version == CURRENT_VERSIONS[kind]
    if int(version) == event.version:
        content = encode_content(event)
        assert content.data == data
        assert content.sha256 == golden["content_hash"], "the canonical form changed: every content hash would"


@pytest.mark.parametrize("kind", CURRENT_VERSIONS)
def test_the_shape_of_an_event_changes_with_its_version_only(kind: str) -> None:
    path = FOLDER / f"{kind}@{CURRENT_VERSIONS[kind]}.json"
    assert path.exists(), f"run python -m tests.unit.log.make_golden and commit {path.name}"
    assert shape(MODELS[kind]) == json.loads(path.read_text())["shape"], (
        f"{kind} has another shape than when version {CURRENT_VERSIONS[kind]} was fixed: raise its version, write an "
        "upcaster, and run python -m tests.unit.log.make_golden"
    )


def test_every_version_up_to_the_current_one_has_a_golden_file() -> None:
    expected = {f"{kind}@{v}" for kind, current in CURRENT_VERSIONS.items() for v in range(1, current + 1)}
    assert {path.stem for path in FILES} == expected


def append_old(log: EventLog, topic: str, data: bytes) -> None:
    """What an older agent0es wrote."""
    meta = begin(log, "other").meta
    state = encode_state(Content(topic, data, "0" * 64, {}), Meta(meta.event_id, 0.0, "h", "h", None, "r"))
    with log._datastore.write() as connection:
        log._writer._recorder.append(connection, [NewRow("run/r", 1, topic, state, "r", "an id")])


def test_an_older_version_is_upcast_when_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    with EventLog.open(":memory:") as log:
        append_old(log, "IterationStarted@-1", b'{"nth":"seven","type":"IterationStarted","version":-1}')
        monkeypatch.setitem(
            UPCASTERS, ("IterationStarted", -1), lambda old: {**old, "nth": {"seven": 7}[old["nth"]], "version": 0}
        )
        with pytest.raises(LogError, match="nothing turns it into IterationStarted@1"):
            list(log.read(run="r"))
        monkeypatch.setitem(
            UPCASTERS,
            ("IterationStarted", 0),
            lambda old: {"type": old["type"], "iteration": old["nth"], "version": 1},
        )
        [recorded] = log.read(run="r")
        assert recorded.event == iteration(7)
        [row] = log.raw(run="r")
        assert row.content == '{"nth":"seven","type":"IterationStarted","version":-1}', "what is stored stays"


def test_a_newer_version_is_refused() -> None:
    for content in (b'{"type":"IterationStarted","version":99}', b'{"type":"Unheard","version":1}'):
        with pytest.raises(LogError, match="newer agent0es"):
            decode_content(content, {})


def test_an_upcaster_must_return_the_next_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(UPCASTERS, ("IterationStarted", 0), lambda old: old)
    with pytest.raises(LogError, match="returned version 0"):
        decode_content(b'{"type":"IterationStarted","version":0}', {})


def test_the_content_hash_does_not_depend_on_the_order_of_keys_nor_on_meta() -> None:
    one = encode_content(configured({"b": {"y": 1, "x": 2}, "a": 3}))
    two = encode_content(configured({"a": 3, "b": {"x": 2, "y": 1}}))
    assert one == two
    assert one != encode_content(configured({"a": 3, "b": {"x": 2, "y": 1.0}}))
