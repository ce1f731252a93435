"""Limits and the breaker, with a clock that stands still."""

from hypothesis import given
from hypothesis import strategies as st

from agent0es.models.http.pacing import FAILURES, PAUSE_SECONDS, Breaker, Rate, Server, server_of


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@given(st.lists(st.floats(min_value=0.0, max_value=20.0), max_size=80), st.integers(min_value=1, max_value=600))
def test_no_minute_holds_more_than_its_share(gaps: list[float], a_minute: int) -> None:
    clock = Clock()
    rate = Rate(a_minute, clock)
    sent = []
    for gap in gaps:
        clock.now += gap
        sent.append(clock.now + rate.take())
    for begin in sent:
        assert sum(begin <= one < begin + 59.999 for one in sent) <= a_minute


def test_who_waits_alone_waits_not_at_all() -> None:
    clock = Clock()
    rate = Rate(60, clock)
    assert [rate.take() for _ in range(3)] == [0.0, 1.0, 2.0]
    clock.now += 100
    assert rate.take() == 0.0


def test_tokens_that_were_not_needed_are_given_back() -> None:
    clock = Clock()
    rate = Rate(6000, clock)
    assert rate.take(3000) == 0.0
    rate.give_back(2900)
    assert round(rate.take(10), 6) == 1.0


def test_the_longer_wait_of_the_two_limits_counts() -> None:
    server = Server(6000, 60)
    assert server.turn(30) == 0.0
    assert 25 < server.turn(1) <= 30
    assert Server(None, None).turn(10**9) == 0.0


def test_it_opens_after_failures_in_a_row_and_lets_one_through_again() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    for _ in range(FAILURES - 1):
        assert not breaker.gave_up("gone")
    breaker.answered()
    for _ in range(FAILURES - 1):
        assert not breaker.gave_up("gone") and breaker.why() is None
    assert breaker.gave_up("gone") and breaker.why() == "gone"
    clock.now += PAUSE_SECONDS
    assert breaker.why() is None
    assert breaker.gave_up("still gone") and breaker.why() == "still gone"
    clock.now += PAUSE_SECONDS
    breaker.answered()
    assert not breaker.gave_up("once")


def test_it_opens_at_once_where_that_is_said() -> None:
    breaker = Breaker(Clock())
    breaker.open("no budget")
    assert breaker.why() == "no budget"


def test_who_asks_the_same_server_shares_its_limits() -> None:
    first = server_of("http://a", "KEY", 10, None)
    assert server_of("http://a", "KEY", 10, None) is first
    assert server_of("http://a", "OTHER", 10, None) is not first
    assert server_of("http://b", "KEY", 10, None) is not first
