"""Files of words."""

import random
from functools import partial

from agent0es.taskdomains.long_horizon.families.common import WORDS, Story, Written, beginning, calculation, staged

practised = partial(staged, group="files of words", split="practised")
validation = partial(staged, group="files of words", split="validation")


def about(words: list[str]) -> str:
    """What the description says of a file of words."""
    first, last = beginning(words[0]), beginning(words[-1])
    return f"words.txt has {len(words)} words, one a line, the first of them {first} and the last {last}"


def word_file(words: list[str]) -> str:
    """One word a line."""
    return "".join(f"{word}\n" for word in words)


def lengths(rng: random.Random, calculations: int, lines: int) -> Story:
    """The length of each word in a file, then their sum."""
    words, c = rng.sample(WORDS, lines), calculation(rng, calculations - 1)
    how, rule, code = rng.choice((("sum", "sum", "sum"), ("largest", "largest", "max")))
    return Story(
        about=about(words),
        stages=(
            "Write the length of each word to lengths.txt, one a line.",
            f"Then answer with the {how} of the numbers in lengths.txt{c.spoken}.",
        ),
        files={"words.txt": word_file(words)},
        written=[
            Written(
                "lengths.txt",
                "\n".join(str(sum(1 for _ in word)) for word in words),
                "numbers",
                "open('lengths.txt','w').write('\\n'.join(str(len(w.strip())) for w in open('words.txt')))",
            )
        ],
        derivation=(rule, *c.derivation),
        code=c.code(f"{code}(map(int, open('lengths.txt')))"),
    )


def unique(rng: random.Random, calculations: int, lines: int) -> Story:
    """The different words in order in a file, then how many there are."""
    different, c = rng.sample(WORDS, max(2, lines - rng.randint(1, lines // 2))), calculation(rng, calculations - 1)
    words = different + [rng.choice(different) for _ in range(lines - len(different))]
    rng.shuffle(words)
    ordered = sorted(words)
    kept = [word for i, word in enumerate(ordered) if i == 0 or ordered[i - 1] != word]
    return Story(
        about=about(words),
        stages=(
            "Write the different words to unique.txt, one a line, in alphabetical order, each of them once.",
            f"Then answer with how many words unique.txt has{c.spoken}.",
        ),
        files={"words.txt": word_file(words)},
        written=[
            Written(
                "unique.txt",
                word_file(kept),
                "lines",
                "open('unique.txt','w').write(''.join(sorted(set(open('words.txt')))))",
            )
        ],
        derivation=("count", *c.derivation),
        code=c.code("len(open('unique.txt').readlines())"),
    )


def replacement(rng: random.Random, calculations: int, lines: int) -> Story:
    """A word replaced by another in a file, then how often that stands there."""
    old, new, *others = rng.sample(WORDS, 5)
    words = [old, new, *(rng.choice((old, new, *others)) for _ in range(lines - 2))]
    rng.shuffle(words)
    c = calculation(rng, calculations - 1)
    return Story(
        about=about(words),
        stages=(
            f"Write the words to changed.txt, one a line, with {new} in place of each {old}.",
            f"Then answer with how often {new} stands in changed.txt{c.spoken}.",
        ),
        files={"words.txt": word_file(words)},
        written=[
            Written(
                "changed.txt",
                word_file([new if word == old else word for word in words]),
                "lines",
                f"open('changed.txt','w').write(open('words.txt').read().replace('{old}', '{new}'))",
            )
        ],
        derivation=(f"occurrences:{new}", *c.derivation),
        code=c.code(f"open('changed.txt').read().count('{new}')"),
    )


def numbering(rng: random.Random, calculations: int, lines: int) -> Story:
    """The words with their numbers in a file, then one of its lines."""
    words = rng.sample(WORDS, lines)
    at = rng.randint(0, min(lines - 1, 2 * calculations))
    return Story(
        about=about(words),
        stages=(
            "Write the words to numbered.txt, one a line, each after its number and a space, beginning with 1.",
            f"Then answer with line {at + 1} of numbered.txt.",
        ),
        files={"words.txt": word_file(words)},
        written=[
            Written(
                "numbered.txt",
                "".join(f"{i + 1} {word}\n" for i, word in enumerate(words)),
                "lines",
                "open('numbered.txt','w').write(''.join(f'{i} {w}' for i, w in enumerate(open('words.txt'), 1)))",
            )
        ],
        derivation=(f"line:{at}",),
        code=f"open('numbered.txt').readlines()[{at}].strip()",
    )


FAMILIES = (
    practised("word_lengths_file", make=lengths),
    practised("unique_words_file", make=unique),
    practised("word_replacement_file", make=replacement),
    validation("numbered_words_file", make=numbering),
)
