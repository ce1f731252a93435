"""Which texts are read together, and how a batch lies in memory."""

from itertools import product

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from agent0es.training.examples import Example
from agent0es.training.packing import families, pack


def text(words: str) -> Example:
    """A token a letter; capitals are learnt."""
    return Example(tuple(ord(letter) for letter in words), tuple(letter.isupper() for letter in words))


def letters(ids: torch.Tensor) -> str:
    return "".join(chr(n) for n in ids)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("abcX", "abcY"), {("abc", "X", "Y")}),
        (("abcX", "xyzY"), {("", "abcX", "xyzY")}),
        (("guide1X", "guide1Y", "other2X", "other2Y"), {("guide1", "X", "Y"), ("other2", "X", "Y")}),
        (("guide1X", "alone", "guide2Y"), {("guide", "1X", "2Y"), ("", "alone")}),
        # The guide of all is worth more than what two of them ask.
        (("guidepX", "guidepY", "guideqX", "guideqY"), {("guide", "pX", "pY", "qX", "qY")}),
        (("gppppX", "gppppY", "gqqqqX", "gqqqqY"), {("gpppp", "X", "Y"), ("gqqqq", "X", "Y")}),
        (("same", "same"), {("sam", "e", "e")}),
        (("abXcdY", "abXceY"), {("ab", "XcdY", "XceY")}),  # what is learnt is nobody's common beginning
        (("X",), {("", "X")}),
    ],
)
def test_what_several_texts_begin_with_is_read_once(words: tuple[str, ...], expected: set[tuple[str, ...]]) -> None:
    batch = pack([text(one) for one in words])
    found = set()
    for family in batch.families:
        rests = letters(batch.ids[family.rests])
        rows = ["".join(rests[at] for at in row[here]) for row, here in zip(family.padded, family.present, strict=True)]
        found.add((letters(batch.ids[family.first]), *sorted(rows)))
    assert found == {(first, *sorted(rests)) for first, *rests in expected}


TEXTS = st.lists(st.text("abXY", min_size=1, max_size=7), min_size=1, max_size=6)


@given(TEXTS)
def test_a_batch_says_what_its_texts_say(words: list[str]) -> None:
    examples = [text(one) for one in words]
    batch = pack(examples)
    # Each learnt token comes after the one that it comes after in its text, in the order of the texts.
    expected = [one[at - 1 : at + 1] for one in words for at in range(1, len(one)) if one[at].isupper()]
    assert [chr(a) + chr(b) for a, b in zip(batch.ids[batch.predicts], batch.labels, strict=True)] == expected
    told = []
    for family in batch.families:
        first, rests = batch.ids[family.first], batch.ids[family.rests]
        assert batch.positions[family.first].tolist() == list(range(len(first)))
        assert torch.equal(family.padded.flatten()[family.unpadded], torch.arange(len(rests)))
        for row, present in zip(family.padded, family.present, strict=True):
            at = row[present]
            told.append(letters(first) + letters(rests[at]))
            assert batch.positions[family.rests][at].tolist() == list(range(len(first), len(first) + len(at)))
    assert sorted(told) == sorted(words)


@given(TEXTS)
def test_no_other_cut_leaves_fewer_tokens(words: list[str]) -> None:
    examples = [text(one) for one in words]
    saved = sum((len(members) - 1) * shared for members, shared in families(examples))
    order = sorted(words)
    best = 0
    for cuts in product((False, True), repeat=len(order) - 1):
        runs = [[order[0]]]
        for word, cut in zip(order[1:], cuts, strict=True):
            runs.append([word]) if cut else runs[-1].append(word)
        best = max(best, sum((len(run) - 1) * beginning(run) for run in runs if len(run) > 1))
    assert saved == best


def beginning(words: list[str]) -> int:
    """Letters that all begin with, none of them learnt or a text's last."""
    most = min(len(word) for word in words) - 1
    same = (len({word[at] for word in words}) == 1 and not words[0][at].isupper() for at in range(most))
    return next((at for at, one in enumerate(same) if not one), most)
