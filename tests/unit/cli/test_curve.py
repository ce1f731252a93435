"""The curve of a loss, in characters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent0es.cli.curve import HEIGHT, curve


def test_a_loss_that_falls_is_drawn_as_falling() -> None:
    top, middle, bottom = curve([3.0, 2.0, 1.0], 5, 3)
    assert (top, middle, bottom) == ("3 █", "  █▅", "1 ██▁")


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=300), st.integers(20, 200))
def test_no_line_is_longer_than_the_terminal(values: list[float], width: int) -> None:
    lines = curve(values, width)
    assert len(lines) == HEIGHT and all(len(line) <= width for line in lines)


@pytest.mark.parametrize("values", [[0.5], [0.5] * 90])
def test_what_does_not_change_is_flat(values: list[float]) -> None:
    *above, bottom = curve(values, 80)
    assert not any(line.removeprefix("0.5").strip() for line in above)
    assert set(bottom.removeprefix("0.5 ")) == {"▁"}
