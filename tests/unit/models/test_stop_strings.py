"""Where a text ends that may hold a stop string."""

import pytest

from agent0es.models.engine_child import before_stop, surely_before_stop
from agent0es.models.engine_process import Running


@pytest.mark.parametrize(
    ("text", "stop", "before"),
    [
        ("4\nand more", ("\n",), "4"),
        ("one STOP two END", ("END", "STOP"), "one "),
        ("ST becomes nothing", ("STOP",), "ST becomes nothing"),
        ("no stop strings", (), "no stop strings"),
    ],
)
def test_the_text_ends_before_the_first_stop_string(text: str, stop: tuple[str, ...], before: str) -> None:
    assert before_stop(text, stop) == before


@pytest.mark.parametrize(
    ("text", "before"),
    [("what may become ST", "what may become "), ("ST becomes nothing", "ST becomes nothing"), ("STO", ""), ("", "")],
)
def test_of_a_text_that_goes_on_what_may_become_a_stop_string_is_held_back(text: str, before: str) -> None:
    assert surely_before_stop(text, ("STOP", "S!")) == before


@pytest.mark.parametrize(
    ("pieces", "stop", "taken"),
    [
        (["4", "\n", "and"], ("\n",), 2),
        (["a", ".\n\n", "b"], ("\n",), 2),
        (["S", "T", "O", "P", "!"], ("STOP",), 4),
        (["x", "é", "y"], ("é",), 2),
        (["a", "b", "c"], ("d",), 3),
    ],
)
def test_a_stop_string_is_found_across_tokens(pieces: list[str], stop: tuple[str, ...], taken: int) -> None:
    running = Running(number=1, handle=None, stream=False, prompt_tokens=1, stop=stop)
    for token, piece in enumerate(pieces):
        if not running.stopped:
            running.take(token, -0.5, piece.encode())
    assert (len(running.token_ids), running.stopped) == (taken, taken < len(pieces))
