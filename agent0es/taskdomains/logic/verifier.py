"""Whether an answer is right: by what it says, by truth table, by a solver in the sandbox, or line by line for a proof.

A reference is the answer itself (`True`, `12`, `[0, 1, 1]`, `(1, 0)`, `B`, a formula that the answer must be equivalent
to), or says what is asked for:

    model (p, q) of: p and not q            values of p and q that make it true; `none` where there are none
    equivalent to: p -> q                   any formula that says the same
    nnf of: …   cnf of: …   dnf of: …       such a formula in that normal form
    entailment: p -> q, p |- q              yes or no, decided here; also first-order
    satisfiable: p and not p                yes or no
    proof of: p -> q, p |- q                a proof in natural deduction

What a model wrote is read by the bounded readers of this package alone. What takes more than a truth table or a search
for a model goes to a solver in the sandbox, as text made of numbered names.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from agent0es.domain.task import Task, Verification
from agent0es.taskdomains.base import NeedsCall, needs_program
from agent0es.taskdomains.judging import judged, short, unread
from agent0es.taskdomains.logic import answers
from agent0es.taskdomains.logic.answers import NoValue, clean, read_assignment, read_value, truth, words
from agent0es.taskdomains.logic.formula import (
    SYMBOLS,
    Atom,
    Binary,
    Constant,
    Formula,
    Not,
    TooMuch,
    UnknownSign,
    Unreadable,
    atoms,
    is_propositional,
    parts,
    read_formula,
    write,
)
from agent0es.taskdomains.logic.proofs import check_proof
from agent0es.taskdomains.logic.semantics import against, holds, names_of, satisfiable, smt, with_names_of

LONGEST = 4000
"""Characters; no answer of this domain is nearly as long."""
SENTENCE = 200
"""Characters of an answer that may say only that there is none."""
ASKED = re.compile(
    r"(model) ?\(([\w, ]*)\) of: ?(.*)|(equivalent to|nnf of|cnf of|dnf of|entailment|satisfiable|proof of): ?(.*)",
    re.DOTALL,
)
CHOICE = re.compile(r"(?:(?:option|choice) )?\(?([A-Za-z])\)?", re.IGNORECASE)
TURNSTILE = re.compile(r"\|-|⊢|\btherefore\b")
OTHER_WORDS = answers.FOLLOWS | answers.FOLLOWS_NOT | answers.SATISFIABLE | answers.SATISFIABLE_NOT
"""`valid` may be a yes or an answer to another question: where the reference is `True`, it can't be told which."""
NOT_NORMAL = {"nnf": "a negation before a bracket", "cnf": "not an `and` of `or`s", "dnf": "not an `or` of `and`s"}


@dataclass(frozen=True, slots=True)
class _Question:
    """A judgement that hangs on whether a formula has a model."""

    formula: Formula
    with_model: Verification
    without: Verification


def judge(answer: str | None, task: Task) -> Verification | NeedsCall:
    """The judgement of an answer, or the program that makes it. Pure, and never raises."""
    found = _prepare(answer, task)
    if isinstance(found, Verification):
        return found
    has_model = satisfiable(found.formula)
    if has_model is not None:
        return found.with_model if has_model else found.without
    text = smt(found.formula)
    if text is None:
        return judged(None, "formal", "a predicate is used with two numbers of terms")
    return needs_program("agent0es.taskdomains.logic.solve_formulas", text=text)


def conclude(output: str, answer: str | None, task: Task) -> Verification:
    """The judgement, from the solver's output; undecided for anything but `sat` and `unsat`."""
    found = _prepare(answer, task)
    if isinstance(found, Verification):
        return found
    by_output = {"sat": found.with_model, "unsat": found.without}
    return by_output.get(output.strip()) or judged(None, "formal", "the solver did not decide it")


def normal_form(answer: str | None) -> str | None:
    """One text for answers that say the same. None for no answer."""
    if answer is None or not answer.strip():
        return None
    given = clean(answer[:LONGEST])
    said = words(given) if len(given) < 60 else ""
    if said in answers.YES | answers.FOLLOWS | answers.SATISFIABLE:
        return "True"
    if said in answers.NO | answers.FOLLOWS_NOT | answers.SATISFIABLE_NOT:
        return "False"
    try:
        names = sorted(set(re.findall(r"\b([A-Za-z]\w*)\b['\"]? ?(?:[:=]| is )", given)))
        if names:
            values = read_assignment(given, names)
            return ",".join(f"{name}={values[name]}" for name in sorted(values))
    except NoValue:
        pass
    for read in (_formula_text, _value_text):
        text = read(given)
        if text is not None:
            return text
    return " ".join(given.split())


def _formula_text(given: str) -> str | None:
    try:
        formula = read_formula(given)
    except (Unreadable, TooMuch, RecursionError):
        return None
    return None if isinstance(formula, Atom | Constant) else write(formula)


def _value_text(given: str) -> str | None:
    try:
        return answers.text_of(read_value(given))
    except (NoValue, RecursionError):
        return None


def _prepare(answer: str | None, task: Task) -> Verification | _Question:
    if (found := unread(answer, LONGEST)) is not None:
        return found
    assert answer is not None, "unread judges that"
    if len(answer) < SENTENCE and answers.NO_ANSWER.search(answer):
        return judged(False, "none", f"{short(answer)} gives no answer")
    asked = ASKED.fullmatch(task.reference.strip())
    try:
        if asked is None:
            return _judge_plain(clean(answer), task.reference.strip())
        if asked[1]:
            return _judge_model(clean(answer), [name.strip() for name in asked[2].split(",")], asked[3])
        return _judge_asked(asked[4], asked[5], answer)
    except TooMuch as error:
        return judged(None, "formal", f"could not be judged: {error}")
    except Unreadable as error:
        return judged(None, "formal", f"the reference can't be read: {error}")
    except RecursionError:
        return judged(None, "formal", "could not be judged: nested too deep")


def _judge_asked(kind: str, about: str, answer: str) -> Verification | _Question:
    if kind == "proof of":
        premises, goal = _sequent(about)
        checked = check_proof(answers.clean_proof(answer), premises, goal)
        return judged(checked.correct, "proof", checked.explanation, checked.lines)
    given = clean(answer)
    if kind == "entailment":
        premises, goal = _sequent(about)
        return _judge_yes(given, against(premises, goal), kind)
    if kind == "satisfiable":
        return _judge_yes(given, read_formula(about), kind)
    return _judge_formula(given, read_formula(about), kind.removesuffix(" of") if kind.endswith(" of") else "")


def _sequent(text: str) -> tuple[list[Formula], Formula]:
    """Premises and conclusion of `p -> q, p |- q`; a `;` separates too, for formulas that hold a bare comma."""
    sides = TURNSTILE.split(text)
    if len(sides) != 2:
        raise Unreadable("it has no `|-`")
    pieces = re.split(r";" if ";" in sides[0] else r",(?![^()]*\))", sides[0])
    return [read_formula(piece) for piece in pieces if piece.strip()], read_formula(sides[1])


def _judge_yes(given: str, formula: Formula, kind: str) -> Verification | _Question:
    """Yes or no; of an entailment a yes says that nothing makes premises and the negated conclusion true."""
    asks_model = kind == "satisfiable"
    positive = answers.SATISFIABLE if asks_model else answers.FOLLOWS
    said = _said(given, positive, answers.SATISFIABLE_NOT if asks_model else answers.FOLLOWS_NOT, "formal")
    if isinstance(said, Verification):
        return said
    claims_model, shown = said is asks_model, short(write(formula), 120)
    return _Question(
        formula,
        judged(claims_model, "formal", _says(given, claims_model, f"there is a model of {shown}")),
        judged(not claims_model, "formal", _says(given, not claims_model, f"nothing makes it true: {shown}")),
    )


def _said(given: str, positive: frozenset[str], negative: frozenset[str], method: str) -> bool | Verification:
    """A yes or a no, or the judgement of what is neither: wrong where it says both, is not sure or is another kind of
    answer, and undecided where it is not understood."""
    plain = truth(given)
    if plain is not None:
        return plain
    claims = answers.claims(given, positive | answers.PLAIN_YES, negative | answers.PLAIN_NO)
    if claims >= {True, False}:
        return judged(False, method, f"{short(given)} says both yes and no")
    if answers.UNSURE.search(given.lower()) or (None in claims and _is_value(given)):
        return judged(False, method, f"{short(given)} is neither yes nor no")
    if None in claims:
        return judged(None, method, f"{short(given)} is not understood as a yes or a no")
    return True in claims


def _is_value(given: str) -> bool:
    """Whether it is a word, a number or a list of such: an answer, if not of the kind that was asked for."""
    try:
        return _of_single_words(read_value(given))
    except (NoValue, RecursionError):
        return False


def _of_single_words(value: answers.Value) -> bool:
    if isinstance(value, tuple):
        return all(map(_of_single_words, value))
    return not isinstance(value, str) or len(words(value).split()) < 2


def _judge_formula(given: str, true: Formula, form: str) -> Verification | _Question:
    try:
        formula = read_formula(given)
    except Unreadable as error:
        understood = not isinstance(error, UnknownSign) and (_is_value(given) or _only_symbols(given, true))
        return judged(False if understood else None, "formal", f"{short(given)} can't be read as a formula: {error}")
    formula = with_names_of(true, formula)
    if isinstance(formula, Binary) and formula.connective == "iff" and true in (formula.left, formula.right):
        return judged(None, "formal", f"{short(given)} says that two formulas are equivalent, and not which it means")
    in_form = not form or _has_form(formula, form)
    wrong = f"{short(given)} and {short(write(true), 120)} differ in value"
    shape = f"{short(given)} is equivalent, but no {form}: it has {NOT_NORMAL.get(form, '')}"
    form_score = {"form": float(in_form)} if form else {}
    return _Question(
        Binary("xor", formula, true),
        judged(False, "formal", wrong, {"equivalent": 0.0, **form_score}),
        judged(
            in_form,
            "formal",
            shape if not in_form else f"{short(given)} is equivalent to {short(write(true), 120)}",
            {"equivalent": 1.0, **form_score},
        ),
    )


def _only_symbols(given: str, true: Formula) -> bool:
    """Whether a text has nothing but names and signs of formulas, so that it is one with a mistake in it."""
    unknown = set(re.findall(r"[A-Za-z_]\w*", given)) - names_of(true) - set(SYMBOLS)
    return not unknown and re.search(r"[\\{},]|\)\s*\(", given) is None


def _has_form(formula: Formula, form: str) -> bool:
    if form == "nnf":
        nodes = list(parts(formula))
        return all(
            isinstance(node, Atom | Constant)
            or (isinstance(node, Not) and isinstance(node.part, Atom))
            or (isinstance(node, Binary) and node.connective in ("and", "or"))
            for node in nodes
        )
    outer, inner = ("and", "or") if form == "cnf" else ("or", "and")
    return all(_is_literal(leaf) for group in _joined_by(outer, formula) for leaf in _joined_by(inner, group))


def _joined_by(connective: str, formula: Formula) -> list[Formula]:
    if isinstance(formula, Binary) and formula.connective == connective:
        return _joined_by(connective, formula.left) + _joined_by(connective, formula.right)
    return [formula]


def _is_literal(formula: Formula) -> bool:
    return isinstance(formula.part if isinstance(formula, Not) else formula, Atom | Constant)


def _judge_model(given: str, names: Sequence[str], about: str) -> Verification | _Question:
    formula = read_formula(about)
    if not is_propositional(formula):
        raise Unreadable("models are of propositional formulas")
    claims = answers.claims(given, answers.SATISFIABLE, answers.NONE)
    if claims == {True}:
        return judged(False, "formal", f"{short(given)} gives no values for {', '.join(names)}")
    if words(given) in answers.NONE or claims == {False}:
        return _Question(
            formula,
            judged(False, "formal", f"there is a model of {short(write(formula), 120)}"),
            judged(True, "formal", f"there is no model of {short(write(formula), 120)}"),
        )
    try:
        values = read_assignment(given, names)
    except NoValue as error:
        said = set(re.findall(r"[a-z]{2,}", given.lower())) - {name.lower() for name in names} - set(answers.BITS)
        unclear = re.search(r"[\\:<>≠!{}↦→]|=\s*[^0-9\s]|\w\(", given)
        right = None if said or unclear else False
        return judged(right, "formal", f"{short(given)} gives no values for {', '.join(names)}: {error}")
    missing = [name for name in names if name not in values]
    if missing:
        return judged(False, "formal", f"{short(given)} gives no value for {', '.join(missing)}")
    true = holds(formula, {atom: bool(values.get(atom.name, 0)) for atom in atoms(formula)})
    shown = ", ".join(f"{name} = {values[name]}" for name in names)
    return judged(true, "formal", f"{shown} makes {short(write(formula), 120)} {'true' if true else 'false'}")


def _judge_plain(given: str, true: str) -> Verification | _Question:
    if given == true:
        return judged(True, "exact", f"the answer is {short(true)}")
    if true in ("True", "False"):
        if truth(given) is None and words(given) in OTHER_WORDS:
            return judged(None, "exact", f"{short(given)} is no plain yes or no")
        return _judge_said(given, true, _said(given, frozenset(), frozenset(), "exact"), true == "True")
    for yes, no in ((answers.FOLLOWS, answers.FOLLOWS_NOT), (answers.SATISFIABLE, answers.SATISFIABLE_NOT)):
        if words(true) in yes | no:
            return _judge_said(given, true, _said(given, yes, no, "exact"), words(true) in yes)
    formula = _compound(true)
    if formula is not None:
        return _judge_formula(given, formula, "")
    right = _says_value(given, true)
    if not right and len(re.findall(r"[A-Za-z]{2,}", given)) > 2 and not re.search(r"\b(?:or|and)\b", given):
        return judged(None, "exact", f"{short(given)} is not understood as {short(true)} or something else")
    return judged(right, "exact", _compared(given, true, right))


def _judge_said(given: str, true: str, said: bool | Verification, wanted: bool) -> Verification:
    if isinstance(said, Verification):
        return said
    return judged(said is wanted, "exact", _compared(given, true, said is wanted))


def _compound(text: str) -> Formula | None:
    """The formula that a reference says, where it is more than a name or a constant."""
    try:
        formula = read_formula(text)
    except Unreadable:
        return None
    return None if isinstance(formula, Constant) or (isinstance(formula, Atom) and not formula.terms) else formula


def _says_value(given: str, true: str) -> bool:
    if re.fullmatch(r"[A-Z]", true) and (choice := CHOICE.fullmatch(given)) is not None:
        return choice[1].upper() == true
    if re.fullmatch(r"[A-Z]{2,}", true) and re.fullmatch(r"[A-Za-z ,'\"\[\]()<]+", given):
        return "".join(re.findall(r"[A-Za-z]+", given)).upper() == true  # an order: `BCA`, `B, C, A`, `['B', 'C', 'A']`
    if re.fullmatch(r"[A-Za-z]+", true):
        said = re.sub(r"^(?:it was|it is|the culprit is) | (?:did it|is the culprit)$", "", given, flags=re.IGNORECASE)
        return said.strip("'\" ").lower() == true.lower()
    try:
        return answers.same(read_value(given), read_value(true))
    except NoValue:
        return " ".join(given.split()) == " ".join(true.split())


def _says(given: str, right: bool, fact: str) -> str:
    return f"{short(given)} is {'right' if right else 'wrong'}: {fact}"


def _compared(given: str, true: str, same: bool) -> str:
    return f"{short(given)} says {short(true)}" if same else f"{short(given)} is not {short(true)}"
