"""Right and wrong answers by the hundred, made by rule: each kind of notation, with random numbers.

    python -m tests.support.math_forms [COUNT]

prints for each kind how many wrong answers are accepted and how many right ones are not, of COUNT each (200).
"""

import asyncio
import random
import sys
from collections.abc import Callable
from fractions import Fraction

from tests.support.math_answers import Case, judge_all, task_of

Form = Callable[[int, random.Random], tuple[str, str]]
"""(reference, the answer in this notation) of a number; its wrong answer is the one of another number."""

SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


def thousands(mark: str) -> Form:
    return lambda n, rng: (str(n * 1009), f"{n * 1009:,}".replace(",", mark))


def quantity(reference: str, answer: str) -> Form:
    """A form whose texts hold n, or 60 times, 100 times, or a hundredth of it."""

    def made(n: int, rng: random.Random) -> tuple[str, str]:
        values = {"n": n, "sixty": 60 * n, "hundred": 100 * n, "hundredth": n * 0.01}
        return reference.format(**values), answer.format(**values)

    return made


def rounded(n: int, rng: random.Random) -> tuple[str, str]:
    value, digits = Fraction(n, 7), rng.randint(9, 14)
    return f"{n}/7", f"{float(value):.{digits}f}"


def worked(n: int, rng: random.Random) -> tuple[str, str]:
    part = rng.randint(1, n)
    return str(n), f"{part} + {n - part} = {n}"


def unworked(n: int, rng: random.Random) -> tuple[str, str]:
    part = rng.randint(1, n)
    return str(n), rng.choice([f"{part} + {n - part}", f"2*({n}) - {n}", f"({n}*6)/6", f"{n}^2/{n}"])


def merged(n: int, rng: random.Random) -> tuple[str, str]:
    middle = rng.randint(1, n)
    return f"[0, {n + 3})", rf"[0, {middle}] \cup [{middle}, {n + 1}) \cup [{n}, {n + 3})"


def parts_of_a_set(n: int, rng: random.Random) -> tuple[str, str]:
    return f"{{1, {n + 1}, {n + 2}}}", rf"\{{{n + 2}\}} \cup \{{1, {n + 1}\}}"


FORMS: dict[str, Form] = {
    "a number alone": quantity("{n}", "{n}"),
    "thousands, comma": thousands(","),
    "thousands, LaTeX": thousands("{,}"),
    "thousands, thin": thousands(",\\!"),
    "thousands, blank": thousands("\\,"),
    "superscript": lambda n, rng: (f"x^{n}", f"x{str(n).translate(SUPERSCRIPTS)}"),
    "superscript behind a factor": lambda n, rng: (f"{n}*x^{n}", f"{n}x{str(n).translate(SUPERSCRIPTS)}"),
    "power of ten": lambda n, rng: (str(10 ** (n % 40)), f"10^{{{n % 40}}}"),
    "scientific": lambda n, rng: (str(n * 10**6), f"{n}×10⁶"),
    "small": lambda n, rng: (str(Fraction(n, 10**9)), f"{n} \\times 10^{{-9}}"),
    "dollars": quantity("${n}", "{n} dollars"),
    "cents for dollars": quantity("${n}", "{hundred} cents"),
    "dollars for cents": quantity("{n} cents", "${hundredth:.2f}"),
    "euro sign": quantity("{n}", "{n} €"),
    "escaped dollar": quantity("{n}", "\\${n}.00"),
    "percent": quantity("{n}%", "{n} percent"),
    "noun": quantity("{n}", "{n} marbles"),
    "minutes and hours": quantity("{sixty} minutes", "{n} hours"),
    "compound": lambda n, rng: (f"{n} minutes", f"{n // 60} hours {n % 60} minutes"),
    "compound, lengths": lambda n, rng: (f"{n} cm", f"{n // 100} m {n % 100} cm"),
    "speed": quantity("{n} km/h", "{n} kilometers per hour"),
    "area": quantity("{n} cm^2", "{n} square centimeters"),
    "mixed": lambda n, rng: (f"{3 * n + 1}/3", f"{n}\\frac{{1}}{{3}}"),
    "vulgar": lambda n, rng: (f"{4 * n + 3}/4", f"{n}¾"),
    "minus below": lambda n, rng: (f"-{n}/{n + 1}", f"\\frac{{{n}}}{{-{n + 1}}}"),
    "worked line": worked,
    "to be worked out": unworked,
    "long decimal": rounded,
    "long decimal of pi": lambda n, rng: (f"{n}*pi", f"{n * 3.141592653589793:.9f}"),
    "long decimal of a root": lambda n, rng: (f"sqrt({n**2 + 1})", f"{(n**2 + 1) ** 0.5:.10f}"),
    "union": merged,
    "union of sets": parts_of_a_set,
    "membership": lambda n, rng: (f"[{n}, {n + 1}]", f"x \\in [{n},  {n + 1}]"),
    "inequalities": lambda n, rng: (f"({n}, {n + 4}]", f"x > {n} and x <= {n + 4}"),
    "matrix": lambda n, rng: (
        f"[[{n}, 1], [0, {n}]]",
        rf"\left[\begin{{array}}{{cc}}{n} & 1\\0 & {n}\end{{array}}\right]",
    ),
    "binary": lambda n, rng: (bin(n), f"{n:b}_2"),
    "quotes": lambda n, rng: (str(["a", f"b{n}"]), f'["a", "b{n}"]'),
    "multiple of pi": lambda n, rng: (f"{n}*pi/2", rf"\frac{{{n}\pi}}{{2}}"),
}


def made(count: int, seed: int = 0) -> list[tuple[str, Case]]:
    """For each kind `count` right answers, and as many of other numbers to the same references."""
    rng = random.Random(seed)
    cases = []
    for kind, form in FORMS.items():
        for _ in range(count):
            n = rng.randint(2, 400)
            reference, answer = form(n, rng)
            cases.append((kind, Case(True, answer, task_of(reference))))
            other = rng.choice([n + 1, n - 1, 10 * n, n + 10, 2 * n])
            if form(other, rng)[0] != reference:
                cases.append((kind, Case(False, form(other, rng)[1], task_of(reference))))
    return cases


def main() -> int:
    cases = made(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
    found = asyncio.run(judge_all([(case.answer, case.task) for _, case in cases]))
    accepted = missed = 0
    for kind in FORMS:
        judged = [(case, one) for (name, case), one in zip(cases, found, strict=True) if name == kind]
        wrong = [case for case, one in judged if one.correct and not case.label]
        right = [case for case, one in judged if case.label and not one.correct]
        accepted, missed = accepted + len(wrong), missed + len(right)
        shown = "".join(f"  {case.answer!r} for {case.task.reference!r}" for case in [*wrong, *right][:2])
        print(f"{kind:28}  {len(judged):5} answers  {len(wrong):3} wrong accepted  {len(right):3} right not{shown}")
    of_right = sum(bool(case.label) for _, case in cases)
    print(f"{len(cases)} answers: {accepted} wrong ones accepted, {100 * missed / of_right:.2f}% of right ones not")
    return 1 if accepted or missed >= 0.01 * of_right else 0


if __name__ == "__main__":
    sys.exit(main())
