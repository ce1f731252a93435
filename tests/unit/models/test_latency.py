"""How long an answer will take, by the length of its question and what earlier ones took."""

from hypothesis import given
from hypothesis import strategies as st

from agent0es.router.latency import Timed, expected_seconds


def took(characters: int, written: int, domain: str = "math", slow: float = 1.0) -> Timed:
    """A model that reads 400 tokens a second and writes 50."""
    read = 100 + characters // 4
    return Timed(domain, characters, read, written, slow * (0.2 + read / 400 + written / 50))


def test_a_longer_question_takes_longer_and_a_domain_with_long_answers_too() -> None:
    history = [took(40 * n, 20 + n % 3) for n in range(1, 21)] + [took(40 * n, 200 + n, "code") for n in range(1, 21)]
    short, long = (expected_seconds(history, "math", characters) for characters in (80, 800))
    code = expected_seconds(history, "code", 80)
    assert short is not None and long is not None and code is not None
    assert abs(short - took(80, 21).seconds) < 0.05 and abs(long - took(800, 21).seconds) < 0.05
    assert abs(code - took(80, 210).seconds) < 0.3
    assert expected_seconds(history, "logic", 80) not in (None, short, code)  # as many tokens as on average


def test_nothing_is_said_without_history_and_the_mean_with_little() -> None:
    assert expected_seconds([], "math", 80) is None
    assert expected_seconds([Timed("math", 10, 5, 5, 1.0), Timed("code", 10, 5, 5, 3.0)], "math", 900) == 2.0


@given(
    st.lists(
        st.builds(
            Timed,
            st.sampled_from(["math", "code"]),
            st.integers(0, 5000),
            st.integers(0, 9000),
            st.integers(0, 3000),
            st.floats(0.0, 600.0),
        ),
        min_size=8,
        max_size=30,
    ),
    st.integers(0, 20000),
)
def test_it_stays_within_what_was_seen(history: list[Timed], characters: int) -> None:
    found = expected_seconds(history, "math", characters)
    seen = [one.seconds for one in history]
    assert found is not None and min(seen) <= found <= max(seen)


def test_more_work_never_takes_less_time() -> None:
    """Times that fall with the length of the question say nothing of it."""
    history = [Timed("math", 10 * n, 10 * n, 20, 30.0 - n) for n in range(1, 21)]
    assert expected_seconds(history, "math", 10) == expected_seconds(history, "math", 200)
