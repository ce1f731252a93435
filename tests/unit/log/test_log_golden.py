"""Events that were written once can be read for ever."""

import json
from typing import Any, Literal, get_args

import pytest
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from agent0es.domain import events as ev
from agent0es.domain.events import Event
from agent0es.errors import LogError, StoreError
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


class Changed:
    """Ways to change the shape of an event without a new version. Each is an event of today with one difference."""

    class FieldAdded(ev.IterationStarted):
        reviewed: bool = False

    class FieldRetyped(ev.IterationStarted):
        iteration: str  # type: ignore[assignment]

    class DefaultAdded(ev.IterationStarted):
        iteration: int = 1

    class BoundAdded(ev.IterationStarted):
        iteration: int = Field(ge=1, le=1000)

    class NullAllowed(ev.IterationStarted):
        iteration: int | None  # type: ignore[assignment]

    class ChoiceAdded(ev.IterationStarted):
        version: Literal[1, 2] = 1  # type: ignore[assignment]

    class ExtraAllowed(ev.IterationStarted):
        model_config = ConfigDict(extra="allow")


@pytest.mark.parametrize("model", [kind for kind in vars(Changed).values() if isinstance(kind, type)])
def test_a_changed_shape_is_seen(model: type[BaseModel]) -> None:
    golden = json.loads((FOLDER / "IterationStarted@1.json").read_text())
    assert shape(ev.IterationStarted) == golden["shape"]
    assert shape(model) != golden["shape"]


def test_a_change_of_a_value_inside_an_event_is_seen() -> None:
    class Inner(BaseModel):
        a: int

    class Outer(BaseModel):
        inner: tuple[Inner, ...]

    class OtherInner(Inner):
        b: int = 0

    class OtherOuter(Outer):
        inner: tuple[OtherInner, ...]

    assert shape(Outer) != shape(OtherOuter)


def test_words_for_readers_are_no_part_of_the_shape() -> None:
    class Reworded(ev.IterationStarted):
        """Another docstring."""

        iteration: int = Field(ge=1, description="Another one.")

    assert shape(Reworded) == shape(ev.IterationStarted)


class IterationStartedTwo(BaseModel):
    """What IterationStarted might be one day: its number has another name, and there is a field more."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    type: Literal["IterationStarted"] = "IterationStarted"
    version: Literal[2] = 2
    number: int
    reviewed: bool


def test_a_golden_file_of_an_old_version_is_read_as_the_new_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The day a version 2 comes: with an upcaster the golden file of version 1 is read, without it is not."""
    golden = json.loads((FOLDER / "IterationStarted@1.json").read_text())["content"]
    data = json.dumps(golden, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    monkeypatch.setitem(CURRENT_VERSIONS, "IterationStarted", 2)
    monkeypatch.setattr("agent0es.log.mapper.event_adapter", TypeAdapter(IterationStartedTwo))
    with pytest.raises(LogError, match="nothing turns it into IterationStarted@2"):
        decode_content(data, {})

    def upcaster(old: dict[str, Any]) -> dict[str, Any]:
        kept = {name: value for name, value in old.items() if name != "iteration"}
        return {**kept, "version": 2, "number": old["iteration"], "reviewed": False}

    monkeypatch.setitem(UPCASTERS, ("IterationStarted", 1), upcaster)
    expected = {**golden, "version": 2, "number": golden["iteration"], "reviewed": False}
    del expected["iteration"]
    assert decode_content(data, {}).model_dump() == expected
    with EventLog.open(":memory:") as log:
        append_old(log, "IterationStarted@1", data)
        [recorded] = log.read(run="r")
        assert recorded.event.model_dump() == expected


def append_old(log: EventLog, topic: str, data: bytes) -> None:
    """What an older agent0es wrote."""
    meta = begin(log, "other").meta
    state = encode_state(Content(topic, data, "0" * 64, {}), Meta(meta.event_id, 0.0, "h", "h", None, "r"))
    with log._datastore.write() as connection:
        log.recorder.append(connection, [NewRow("run/r", 1, topic, state, "r", "an id")])


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
        with pytest.raises(StoreError, match="newer agent0es"):
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


@pytest.mark.parametrize(
    ("reason", "detail", "novelty", "bar"),
    [
        ("not_novel", "novelty 0.0417 under 0.15", 0.0417, 0.15),
        ("not_novel", "novelty 1e-05 under 0.15", 1e-05, 0.15),
        ("unreadable", "novelty 0.1 under 0.2", None, None),
        ("not_novel", "something else", None, None),
    ],
)
def test_the_novelty_that_stood_in_a_sentence_becomes_a_field(
    reason: str, detail: str, novelty: float | None, bar: float | None
) -> None:
    golden = json.loads((FOLDER / "ProposalRejected@2.json").read_text())["content"]
    event = decode_content(json.dumps({**golden, "reason": reason, "detail": detail}).encode(), {})
    assert isinstance(event, ev.ProposalRejected)
    assert (event.novelty, event.novelty_bar) == (novelty, bar)
