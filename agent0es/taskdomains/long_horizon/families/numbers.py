"""Files of numbers."""

import random
from functools import partial
from itertools import accumulate

from agent0es.taskdomains.long_horizon.families.common import (
    Story,
    Written,
    calculation,
    drawn,
    number_file,
    staged,
)

practised = partial(staged, group="files of numbers", split="practised")
held_out = partial(staged, group="files of numbers", split="held_out")


def about(path: str, numbers: list[int]) -> str:
    """What the description says of a file of numbers."""
    return f"{path} has {len(numbers)} whole numbers, one a line, from {numbers[0]} to {numbers[-1]} in its order"


def total(rng: random.Random, calculations: int, lines: int) -> Story:
    """The sum in a file, then a calculation with it."""
    numbers, c = drawn(rng, lines), calculation(rng, calculations)
    return Story(
        about=about("numbers.txt", numbers),
        stages=("Write the sum of the numbers to sum.txt.", f"Then answer with the number in sum.txt{c.spoken}."),
        files={"numbers.txt": number_file(numbers)},
        written=[
            Written(
                "sum.txt",
                str(list(accumulate(numbers))[-1]),
                "number",
                "open('sum.txt','w').write(str(sum(map(int, open('numbers.txt')))))",
            )
        ],
        derivation=("number", *c.derivation),
        code=c.code("int(open('sum.txt').read())"),
    )


def selection(rng: random.Random, calculations: int, lines: int) -> Story:
    """Some of the numbers in a file, then what they come to."""
    numbers, c = drawn(rng, lines), calculation(rng, calculations - 1)
    limit = sorted(numbers)[rng.randint(1, max(1, lines // 2))]
    word, sign, kept = rng.choice(
        (
            ("greater", ">", [n for n in numbers if n - limit > 0]),
            ("less", "<", [n for n in numbers if limit - n > 0]),
        )
    )
    how, rule, code = rng.choice(
        (
            ("the sum of its numbers", "sum", "sum(map(int, open('kept.txt')))"),
            ("how many numbers it has", "count", "len(open('kept.txt').readlines())"),
        )
    )
    return Story(
        about=about("numbers.txt", numbers),
        stages=(
            f"Write the numbers that are {word} than {limit} to kept.txt, one a line, in their order.",
            f"Then answer with {how}{c.spoken}.",
        ),
        files={"numbers.txt": number_file(numbers)},
        written=[
            Written(
                "kept.txt",
                number_file(kept),
                "numbers",
                f"open('kept.txt','w').write(''.join(l for l in open('numbers.txt') if int(l) {sign} {limit}))",
            )
        ],
        derivation=(rule, *c.derivation),
        code=c.code(code),
    )


def scaling(rng: random.Random, calculations: int, lines: int) -> Story:
    """Each number times something in a file, their sum in another, then a calculation."""
    numbers, c, k = drawn(rng, lines), calculation(rng, calculations - 1), rng.randint(2, 9)
    scaled = [sum([n] * k) for n in numbers]
    return Story(
        about=about("numbers.txt", numbers),
        stages=(
            f"Write each number times {k} to scaled.txt, one a line.",
            "Write the sum of the numbers in scaled.txt to sum.txt.",
            f"Then answer with the number in sum.txt{c.spoken}.",
        ),
        files={"numbers.txt": number_file(numbers)},
        written=[
            Written(
                "scaled.txt",
                number_file(scaled)[:-1],
                "numbers",
                f"open('scaled.txt','w').write('\\n'.join(str(int(l) * {k}) for l in open('numbers.txt')))",
            ),
            Written(
                "sum.txt",
                str(sum(numbers) * k),
                "number",
                "open('sum.txt','w').write(str(sum(map(int, open('scaled.txt')))))",
            ),
        ],
        derivation=("number", *c.derivation),
        code=c.code("int(open('sum.txt').read())"),
        between={"sum.txt": ("sum",)},
    )


def ordering(rng: random.Random, calculations: int, lines: int) -> Story:
    """The numbers in order in a file, then the first or the last."""
    numbers, c = drawn(rng, lines), calculation(rng, calculations)
    last = rng.random() < 0.5
    return Story(
        about=about("numbers.txt", numbers),
        stages=(
            "Write the numbers to ordered.txt, one a line, from the smallest to the largest.",
            f"Then answer with the {'largest' if last else 'smallest'} number in ordered.txt{c.spoken}.",
        ),
        files={"numbers.txt": number_file(numbers)},
        written=[
            Written(
                "ordered.txt",
                number_file([-n for n in sorted((-n for n in numbers), reverse=True)]),
                "numbers",
                "open('ordered.txt','w').write(''.join(sorted(open('numbers.txt'), key=int)))",
            )
        ],
        derivation=("largest" if last else "smallest", *c.derivation),
        code=c.code(f"int(open('ordered.txt').readlines()[{-1 if last else 0}])"),
    )


def merging(rng: random.Random, calculations: int, lines: int) -> Story:
    """Two files in one, then what is largest or smallest."""
    numbers, c = drawn(rng, lines + 2), calculation(rng, calculations)
    one, other = numbers[: lines // 2 + 1], numbers[lines // 2 + 1 :]
    largest = rng.random() < 0.5
    return Story(
        about=f"{about('a.txt', one)}; b.txt has {len(other)} more, from {other[0]} to {other[-1]}",
        stages=(
            "Write all numbers of a.txt and then those of b.txt to all.txt, one a line.",
            f"Then answer with the {'largest' if largest else 'smallest'} number in all.txt{c.spoken}.",
        ),
        files={"a.txt": number_file(one), "b.txt": number_file(other)},
        written=[
            Written(
                "all.txt",
                number_file(numbers),
                "numbers",
                "open('all.txt','w').write(open('a.txt').read() + open('b.txt').read())",
            )
        ],
        derivation=("largest" if largest else "smallest", *c.derivation),
        code=c.code(f"{'max' if largest else 'min'}(map(int, open('all.txt')))"),
    )


def running(rng: random.Random, calculations: int, lines: int) -> Story:
    """Totals so far in a file, then how many are over a limit."""
    numbers, c = drawn(rng, lines), calculation(rng, calculations - 1)
    totals = [sum(numbers[: i + 1]) for i in range(lines)]
    limit = totals[rng.randint(0, lines - 2)] + rng.choice((0, 1))
    return Story(
        about=about("numbers.txt", numbers),
        stages=(
            "Write the running totals to totals.txt, one a line: the first number, the sum of the first two, "
            "and so on.",
            f"Then answer with how many numbers in totals.txt are over {limit}{c.spoken}.",
        ),
        files={"numbers.txt": number_file(numbers)},
        written=[
            Written(
                "totals.txt",
                number_file(totals)[:-1],
                "numbers",
                "open('totals.txt','w').write('\\n'.join(map(str, accumulate(map(int, open('numbers.txt'))))))",
            )
        ],
        derivation=(f"over:{limit}", *c.derivation),
        code=c.code(f"sum(int(l) > {limit} for l in open('totals.txt'))"),
    )


FAMILIES = (
    practised("file_total", make=total),
    practised("file_selection", make=selection),
    practised("file_scaling", make=scaling),
    practised("file_ordering", make=ordering),
    held_out("file_merging", make=merging),
    held_out("file_running_totals", make=running),
)
