from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from agent0es.errors import LogError
from agent0es.log import EventLog, NewEvent
from agent0es.log.mapper import decode_content, encode_content
from agent0es.log.schema import texts
from agent0es.log.texts import LONG_BYTES, TextCache, extract, references, restore
from tests.unit.log.samples import configured

characters = st.characters(exclude_categories=["Cs"])
strings = st.text(characters, max_size=20) | st.builds(
    lambda text, times: text * times, st.text(characters, min_size=1, max_size=9), st.integers(10, 300)
)
keys = st.sampled_from(["$text", "$$text", "text", "$", "a", "b"]) | st.text(characters, max_size=5)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | strings
json_values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(keys, inner, max_size=3)
        | st.builds(lambda key, value: {key: value}, st.sampled_from(["$text", "$$text"]), inner)
    ),
    max_leaves=12,
)


def same(a: Any, b: Any) -> bool:
    """Equal and of the same types: 1 is not 1.0 is not True."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return bool(a == b)


@given(json_values)
@settings(max_examples=300, deadline=None)
def test_every_content_comes_back_as_it_was(value: Any) -> None:
    texts: dict[str, str] = {}
    stored = extract(value, texts)
    assert same(restore(stored, texts), value)
    assert all(len(text.encode()) > LONG_BYTES for text in texts.values())


@given(st.dictionaries(keys, json_values, max_size=4))
@settings(max_examples=150, deadline=None)
def test_every_event_comes_back_from_the_log_as_it_was(configuration: dict[str, Any]) -> None:
    content = encode_content(configured(configuration))
    event = decode_content(content.data, content.texts)
    assert same(event.configuration, configuration)  # type: ignore[union-attr]
    assert set(references(content.data)) == set(content.texts)
    again = encode_content(event)
    assert (again.data, again.sha256) == (content.data, content.sha256)


@given(st.lists(strings, max_size=6))
@settings(max_examples=20, deadline=None)
def test_the_log_restores_texts_byte_for_byte(values: list[str]) -> None:
    with EventLog.open(":memory:") as log:
        log.append([NewEvent("run/r", configured({"values": values, "$text": values}))], handler="h")
        log._texts = TextCache()
        [recorded] = log.read()
    assert recorded.event.configuration == {"values": values, "$text": values}  # type: ignore[union-attr]


def test_a_content_that_looks_like_a_reference_is_not_taken_for_one() -> None:
    pretended = {"$text": "0" * 64}
    with EventLog.open(":memory:") as log:
        log.append([NewEvent("run/r", configured({"a": pretended, "b": {"$text": "y" * 201}}))], handler="h")
        [recorded] = log.read()
    assert recorded.event.configuration == {"a": pretended, "b": {"$text": "y" * 201}}  # type: ignore[union-attr]


def test_equal_texts_are_stored_once(address: str) -> None:
    with EventLog.open(address) as log:
        for number in range(3):
            log.append(
                [NewEvent(f"task/r/{number}", configured({"a": "x" * 300, "b": ["x" * 300, "é" * 101]}))] * 2,
                handler="h",
            )
        with log._datastore.read() as connection:
            rows = connection.execute(select(texts.c.sha256, texts.c.text)).tuples().all()
            rows = sorted(rows, key=lambda row: len(row[1]))
        assert [text for _, text in rows] == ["é" * 101, "x" * 300]
        assert all(log.text(name) == text for name, text in rows)
        with pytest.raises(LogError, match="no text 0000"):
            log.text("0" * 64)


def test_a_text_of_any_characters_comes_back(address: str) -> None:
    text = "zero \0, bell \a, high \U0010ffff, not a character \uffff" * 9
    with EventLog.open(address) as log:
        log.append([NewEvent("run/r", configured({"a": text, "b": "\0"}))], handler="h")
    with EventLog.open(address, read_only=True) as log:
        [recorded] = log.read()
        assert recorded.event.configuration == {"a": text, "b": "\0"}  # type: ignore[union-attr]
        assert log.verify().ok


def test_the_border_is_counted_in_bytes() -> None:
    texts: dict[str, str] = {}
    for short in ("x" * 200, "é" * 100, "😀" * 50):
        assert extract(short, texts) == short
    for long in ("x" * 201, "é" * 101, "😀" * 51):
        assert extract(long, texts) != long
    assert len(texts) == 3


def test_a_lone_surrogate_is_refused() -> None:
    event = configured({}).model_copy(update={"code_version": "\ud800"})
    with pytest.raises(LogError, match="RunStarted@"):
        encode_content(event)


def test_the_cache_keeps_what_was_used_last() -> None:
    cache = TextCache(characters=10)
    cache.add({"a": "xxxx", "b": "yyyy"})
    cache.find(["a"])
    cache.add({"c": "zzzz"})
    assert cache.find(["a", "b", "c"]) == {"a": "xxxx", "c": "zzzz"}
    cache.add({"d": "far too long for it"})
    assert cache.find(["a", "b", "c", "d"]) == {}
