"""Whether what was learnt from is what is asked: texts that are the same, or nearly so. Pure.

Texts are compared as tokens: case, white space, hyphens and the marks of a sentence don't count; `1,000` is 1000, `$2`
is 2 dollars, `5%` is 5 percent, `three` is 3. A learnt text leaks a problem when

- both have the same tokens; or
- it has nearly all runs of RUN tokens that the problem has, those over its ends included (OVERLAP of them: one other
  word in a text of 13), and the same data in the same order from the first shared run to the last: numbers, single
  letters and signs. A problem with other numbers is another problem, however alike the words are; or
- it holds all of a problem of WHOLE tokens or more, whatever else it holds.

What is asked in quite other words is not found. Time grows with the lengths of the texts, not with their product.
"""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from agent0es.domain.events import Leak

RUN = 3
"""Tokens in a run, as 3-grams are in plagiarism checks: one other word changes three of them."""
OVERLAP = 0.8
"""Share of a problem's runs that a near-duplicate has."""
WHOLE = 13
"""Tokens of a text that nobody writes again by chance: the length at which Brown et al. 2020 (arXiv 2005.14165,
appendix C) look for such texts."""

_THOUSANDS = re.compile(r"(?<![\d,.])(\d{1,3}(?:,\d{3})+)(?![\d,])")
_TOKEN = re.compile(r"\d+(?:\.\d+)?|[^\W\d_]+|[^\w\s]|_")
_MONEY = re.compile(r"([$€£])\s?(\d+(?:\.\d+)?)")
_MONIES = {"$": "dollars", "€": "euros", "£": "pounds"}
_PERCENT = re.compile(r"(?<=\d)\s?%")
_HYPHEN = re.compile(r"(?<=[^\W\d_]{2})[-‐–](?=[^\W\d_]{2})")
"""Between words, as in `sixty-five`; in `x-y` it is a minus."""
_SMALL = (
    "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen "
    "nineteen"
)
_ONES = dict(zip(_SMALL.split(), range(2, 20), strict=True)) | {"one": 1}
"""`one` counts behind tens alone: elsewhere it is a word, too."""
_TENS = dict(zip("twenty thirty forty fifty sixty seventy eighty ninety".split(), range(20, 100, 10), strict=True))
_NUMBER = re.compile(rf"\b(?:({'|'.join(_TENS)})(?: ({'|'.join(_ONES)}))?|({_SMALL.replace(' ', '|')}))\b")
_MARKS = frozenset(".,;:?'\"`’‘“”„…")
"""Marks of a sentence, but for `!`, which may be a factorial."""
_ARTICLES = frozenset("ai")
"""Single letters that are words."""


def find_leaks(learnt: Mapping[str, str], asked: Mapping[str, str]) -> list[Leak]:
    """Which problems the learnt texts give away.

    `learnt` is the name of a source (attempt, task, row) to its text, `asked` that of a problem to its text. Ordered as
    the sources are, then as the problems are.
    """
    problems = {name: tokens(text) for name, text in asked.items()}
    runs = {name: _runs(words) for name, words in problems.items()}
    holding: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for name, own in runs.items():
        for run in own:
            holding[run].append(name)
    order = {name: place for place, name in enumerate(problems)}
    found = []
    for source, text in learnt.items():
        words = tokens(text)
        hits = Counter(name for run in _runs(words) for name in holding.get(run, ()))
        for name in sorted(hits, key=order.__getitem__):
            problem, overlap = problems[name], hits[name] / len(runs[name])
            near = overlap >= OVERLAP and _data(problem) in (_data(words), _data(_shared(words, _inner(problem))))
            within = len(problem) >= WHOLE and overlap >= OVERLAP / 2 and _inner(problem) <= _inner(words)
            if near or within:
                found.append(Leak(source=source, problem=name, overlap=round(overlap, 3), same=words == problem))
    return found


def tokens(text: str) -> list[str]:
    """Words, numbers and signs of a text, in their order and in one form."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    plain = _THOUSANDS.sub(lambda found: found[1].replace(",", ""), plain)
    plain = _PERCENT.sub(" percent", _MONEY.sub(lambda found: f"{found[2]} {_MONIES[found[1]]}", plain))
    plain = _NUMBER.sub(_number, _HYPHEN.sub(" ", plain))
    return [token for token in _TOKEN.findall(plain) if token not in _MARKS]


def _number(found: re.Match[str]) -> str:
    tens, ones, small = found.groups()
    return str(_TENS.get(tens, 0) + _ONES.get(ones or small, 0))


def _runs(words: Sequence[str]) -> set[tuple[str, ...]]:
    """All runs of RUN tokens, those over the ends included, so that each word counts alike."""
    edge = [""] * (RUN - 1)
    return _inner([*edge, *words, *edge]) if words else set()


def _inner(words: Sequence[str]) -> set[tuple[str, ...]]:
    """All runs of RUN tokens within a text."""
    return {tuple(words[at : at + RUN]) for at in range(len(words) - RUN + 1)}


def _shared(words: Sequence[str], inner: set[tuple[str, ...]]) -> Sequence[str]:
    """The text from its first run that is one of these to its last one: without what was put before or after it."""
    at = [start for start in range(len(words) - RUN + 1) if tuple(words[start : start + RUN]) in inner]
    return words[at[0] : at[-1] + RUN] if at else ()


def _data(words: Sequence[str]) -> list[str]:
    """What makes a problem this one and no other with the same words."""
    return [word for word in words if not word.isalpha() or (len(word) == 1 and word not in _ARTICLES)]
