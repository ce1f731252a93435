"""Whether code does what was asked for, by hidden tests in the sandbox; whether a predicted output is right, by text.

Code is read here and never run. It is refused before any test where it is not Python, uses what no solution needs, or
is not the kind of code that was asked for. All hidden tests must pass; a linter's findings are reported, no more.
"""

import ast
import re

from agent0es.domain.task import Task, Verification
from agent0es.domain.text import one_line
from agent0es.taskdomains import judging
from agent0es.taskdomains.base import NeedsCall
from agent0es.taskdomains.code import source
from agent0es.taskdomains.code.answer import CODE_START, Ambiguous, code_of, text_of
from agent0es.taskdomains.code.reference import Reference, Script, read_reference, tests_json
from agent0es.taskdomains.judging import judged

PASSED = re.compile(r"([0-9]{1,6}) of ([0-9]{1,6}) passed")
UNDECIDED = re.compile(r"no result in [0-9.e-]+ s|not run: the time was up|can't be judged: .*")
"""A test that did not end (a slow solution can't be told from a slow machine), or that can't be read."""
WRAPPED = re.compile(r"\*\*([^*]+)\*\*|\\boxed\{(.+)\}")
LONGEST_OUTPUT = 4000
"""Characters of a predicted output that is read."""


def judge(answer: str | None, task: Task) -> Verification | NeedsCall:
    """The judgement, or the tests to run in the sandbox. Pure; never raises."""
    try:
        reference = read_reference(task.reference)
    except ValueError as error:
        return judged(None, "tests", str(error))
    if answer is None or not answer.strip():
        return judged(False, "none", "no answer")
    if isinstance(reference, str):
        return judge_output(answer, reference)
    return _judge_code(answer, reference)


def conclude(status: str, output: str, answer: str | None, task: Task) -> Verification:
    """The judgement, from the hidden tests; undecided where they did not run to their end. Pure; never raises."""
    try:
        reference = read_reference(task.reference)
    except ValueError as error:
        return judged(None, "tests", str(error))
    if isinstance(reference, str):
        return judged(None, "tests", "this task has no tests")
    first, _, rest = output.partition("\n")
    counted = PASSED.fullmatch(first.strip())
    total = reference.tests if isinstance(reference, Script) else len(reference.tests)
    if status != "ok" or counted is None or int(counted[2]) != total or int(counted[1]) > total:
        return judged(None, "tests", f"the hidden tests did not run to their end ({status}): {short(first)}")
    passed = int(counted[1])
    lines = [line for line in rest.splitlines() if line.strip()]
    note = lines.pop() if lines and lines[-1].startswith("note: ") else ""
    if passed < total and all(_says_nothing(line, reference) for line in lines):
        return judged(None, "tests", f"{total - passed} of {total} hidden tests can't be judged: {short(rest)}")
    lint = _lint(answer or "", reference.function)
    given = 0 if isinstance(reference, Script) else reference.baseline
    gained = max(0, passed - given) / max(1, total - given)
    text = f"{passed} of {total} hidden tests passed"
    if passed < total and lines:
        text += f"; {short(lines[0])}"
    if note:
        text += f"; {short(note)}"
    if lint:
        text += f"; pyflakes: {short(lint[0])}"
    return Verification(
        correct=passed == total,
        score=1.0 if passed == total else min(gained, 0.99),
        # of a pass: the chance of one more, by the rule of succession; a failed test is a proof
        confidence=(total + 1) / (total + 2) if passed == total else 1.0,
        method="tests",
        explanation=text,
        breakdown={"parses": 1.0, "allowed": 1.0, "as asked": 1.0, "tests": passed / total, "lint": float(not lint)},
    )


def judge_output(answer: str, true: str) -> Verification:
    """Whether this is what the program prints: the same text, or the same Python value written with other spaces."""
    if len(answer) > LONGEST_OUTPUT:
        return judged(None, "exact", f"an answer of {len(answer)} characters is not read")
    same = _output(answer, true) == _output(true, true)
    said = f"{short(answer)} is what it prints" if same else f"{short(answer)} is not {short(true)}"
    return judged(same, "exact", said)


def normal_form(answer: str | None) -> str | None:
    """One text for answers that differ in layout, quotes and fences alone. None for no answer."""
    if answer is None or not answer.strip():
        return None
    code = code_of(answer[: source.LONGEST])
    if re.fullmatch(r"[\w ]*", code):  # a word, a number or several are no code
        return " ".join(code.split())
    return source.canonical(code) or " ".join(code.split())


def short(text: str) -> str:
    """Hostile text as one printable line."""
    return judging.short(text[:400], 100)


def _judge_code(answer: str, reference: Reference | Script) -> Verification | NeedsCall:
    if len(answer) > source.LONGEST:
        return judged(None, "tests", f"an answer of {len(answer)} characters is not read")
    try:
        code = code_of(answer, reference.function)
        tree = source.parsed(code)
        if isinstance(tree, str):
            if not CODE_START.match(code) and re.search(rf"\b(?:lambda\b|def {re.escape(reference.function)}\b)", code):
                return judged(None, "tests", f"its code can't be told from its words: {short(code)}")
            return _refused(f"it is no Python: {short(tree)}", parses=0.0)
        bound = source.named(tree, reference.function)
        if bound is None:
            return _refused(f"it defines no {reference.function}")
        if isinstance(reference, Reference):  # problems of others may need what ours never do: `eval`, `hashlib`
            found = source.forbidden(bound)
            if found is not None:
                return _refused(f"it uses {short(found)}", allowed=0.0)
            wrong = source.complaints(bound, reference.function, reference.criteria)
            if wrong:
                return _refused(f"it is not as asked for: {short('; '.join(wrong))}", **{"as asked": 0.0})
        text = code if bound is tree else ast.unparse(bound)
    except (MemoryError, RecursionError):
        return judged(None, "tests", "it is nested too deeply to be read")
    except Ambiguous as error:
        return judged(None, "tests", str(error))
    if isinstance(reference, Script):
        return NeedsCall("tests", f"{reference.prelude}\n{text}", {"tests.py": reference.script})
    return NeedsCall("tests", text, {"tests.json": tests_json(reference.tests)})


def _output(text: str, true: str) -> str:
    """A printed text without what says nothing: fences, spaces at line ends, quotes that the true text has not, and
    the spaces inside a list, tuple, set or dictionary."""
    plain = text.replace("\r\n", "\n").strip("\ufeff").strip()
    if plain != true:
        plain = text_of(plain).strip()
    if plain != true:
        wrapped = WRAPPED.fullmatch(plain)
        plain = (wrapped[1] or wrapped[2] if wrapped else plain).strip("`").strip()
    plain = "\n".join(line.rstrip() for line in plain.split("\n"))
    if len(plain) > 1 and plain[0] == plain[-1] and plain[0] in "'\"" and true[:1] not in ("'", '"'):
        plain = plain[1:-1]
    if plain[:1] in ("[", "(", "{"):
        try:
            return repr(ast.literal_eval(plain))
        except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError, SystemError):
            return plain
    return plain


def _lint(answer: str, function: str) -> list[str]:
    try:
        tree = source.parsed(code_of(answer[: source.LONGEST], function))
    except (Ambiguous, MemoryError, RecursionError):
        return []
    return [] if isinstance(tree, str) else source.findings(tree)


def _says_nothing(line: str, reference: Reference | Script) -> bool:
    """Whether the line of a test that was not passed says nothing about the solution. What follows the test's name may
    be the solution's own words, so it counts whole or not at all."""
    if re.fullmatch(r"… and [0-9]+ more", line):
        return True
    if isinstance(reference, Script):
        return False  # its author's time limits are part of it, and the words after a name are the test's
    names = (one_line(case.call) for case in reference.tests)
    return any(UNDECIDED.fullmatch(line[len(name) + 2 :]) for name in names if line.startswith(f"{name}: "))


def _refused(why: str, **parts: float) -> Verification:
    """Wrong before any test."""
    breakdown = {"parses": 1.0, "allowed": 1.0, "as asked": 1.0, "tests": 0.0} | parts
    return Verification(correct=False, score=0.0, confidence=1.0, method="tests", explanation=why, breakdown=breakdown)
