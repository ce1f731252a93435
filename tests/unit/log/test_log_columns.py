"""Events as columns: what projections see of old versions and of states that are not ours."""

import pytest

from agent0es.errors import LogError
from agent0es.log import UPCASTERS, EventLog
from agent0es.log.mapper import split_state, split_states
from agent0es.log.records import NewEvent
from agent0es.log.upcasting import CURRENT_VERSIONS
from tests.unit.log.samples import configured, new


def test_an_event_of_an_old_version_is_seen_as_one_of_today(monkeypatch: pytest.MonkeyPatch) -> None:
    with EventLog.open(":memory:") as log:
        log.append([NewEvent("run/r", configured({"a": "x" * 300})), new("run/r")], handler="test")
        today = CURRENT_VERSIONS["RunStarted"]
        monkeypatch.setitem(CURRENT_VERSIONS, "RunStarted", today + 1)
        monkeypatch.setitem(
            UPCASTERS,
            ("RunStarted", today),
            lambda old: {**old, "version": today + 1, "configuration": old["configuration"]["a"] * 2},
        )
        table = log.arrow().to_pylist()
    assert table[0]["content"].endswith(f'"version":{today},"weights":{{}}}}')
    assert f'"configuration":"{"x" * 600}"' in table[0]["resolved"]
    assert f'"version":{today + 1}' in table[0]["resolved"]
    assert table[1]["resolved"] is None


def test_many_states_are_split_like_one() -> None:
    state = '{"hash":"%s","meta":{"measured":{}},"content":{"a":{"b":{}},"content":{"c":1}}}' % ("0" * 64)
    parts = split_state(state.encode())
    expected = ([parts.content.decode()], [parts.meta.decode()])
    assert split_states([state]) == split_states([state.encode()]) == expected


@pytest.mark.parametrize("state", ['{"hash":"x"}', "", b"\xff", '{"meta":{}},"content":{}}' + " " * 100])
def test_a_state_that_is_not_ours_is_refused(state: str | bytes) -> None:
    with pytest.raises(LogError, match="changed from outside"):
        split_states([state])
