"""However the bytes arrive, the same lines and events come of them."""

import json
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent0es.models.http.reading import Events, JsonLines, Lines, TooLong, parse

STREAM = (
    b'\xef\xbb\xbf: keep-alive\r\n\r\nevent: message\ndata: {"a": 1}\n\ndata:no space\rdata:  two\r\r'
    b"id: 7\r\nretry: 10\r\ndata: \xe2\x82\xac\r\n\r\ndata\n\nunknown: field\n\n\n\ndata: last"
)
DATA = ['{"a": 1}', "no space\n two", "€", "", "last"]

cuts = st.lists(st.integers(min_value=0, max_value=200), max_size=12)


def pieces(whole: bytes, at: list[int]) -> list[bytes]:
    """The bytes, split at these places."""
    places = [0, *sorted(place % (len(whole) + 1) for place in at), len(whole)]
    return [whole[begin:end] for begin, end in pairwise(places)]


def read(reader: Events | JsonLines | Lines, chunks: list[bytes]) -> list[str | bytes]:
    def all_of() -> Iterator[str | bytes]:
        for chunk in chunks:
            yield from reader.feed(chunk)
        yield from reader.end()

    return list(all_of())


@given(cuts)
def test_events_are_the_same_wherever_the_stream_was_split(at: list[int]) -> None:
    assert read(Events(), pieces(STREAM, at)) == DATA


@given(st.binary(max_size=60).map(lambda some: some.replace(b"a", b"\r\n").replace(b"b", b"\n")), cuts)
def test_any_bytes_give_the_same_lines_wherever_they_were_split(whole: bytes, at: list[int]) -> None:
    expected = whole.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    found = read(Lines(), pieces(whole, at))
    assert found == (expected if expected[-1] else expected[:-1])


@given(st.lists(st.text(min_size=1).filter(lambda text: "\r" not in text and "\n" not in text), max_size=5), cuts)
def test_what_is_sent_as_events_is_read(texts: list[str], at: list[int]) -> None:
    stream = b"".join(b"data: " + text.encode("utf-8", "replace") + b"\r\n\r\n" for text in texts)
    assert read(Events(), pieces(stream, at)) == [text.encode("utf-8", "replace").decode() for text in texts]


@given(st.lists(st.dictionaries(st.text(), st.integers()), max_size=5), cuts)
def test_lines_of_json_are_the_same_wherever_they_were_split(values: list[dict[str, int]], at: list[int]) -> None:
    stream = b"\n\n".join(json.dumps(value).encode() for value in values)
    assert [parse(text) for text in read(JsonLines(), pieces(stream, at))] == values


@given(st.binary(max_size=200), cuts)
def test_no_bytes_at_all_do_harm(whole: bytes, at: list[int]) -> None:
    for reader in (Events(), JsonLines()):
        with suppress(UnicodeDecodeError):
            read(reader, pieces(whole, at))


@pytest.mark.parametrize("endless", [b"a" * 64, b"data: " + b"a" * 64, b"data:\n" * 64])
def test_nothing_grows_beyond_its_bound(endless: bytes) -> None:
    for reader in (Events(longest=200), *((JsonLines(longest=200),) if b"\n" not in endless else ())):
        with pytest.raises(TooLong):
            for _ in range(20):
                list(reader.feed(endless))


@pytest.mark.parametrize("text", ["", "{", '{"a": 1', "[" * 100_000, b"\xff", '{"a": 1} trailing', "nul"])
def test_what_is_no_json_is_an_error_of_one_kind(text: str) -> None:
    with pytest.raises(ValueError):
        parse(text)
