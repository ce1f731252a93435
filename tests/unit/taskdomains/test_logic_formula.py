"""Reading formulas in several notations, and what they come to: by truth table, by models, and by an SMT solver."""

import random
from contextlib import suppress
from itertools import product

import pytest
import z3
from hypothesis import given, settings
from hypothesis import strategies as st

from agent0es.taskdomains.logic.families.common import ARROWS, random_formula, rewritten
from agent0es.taskdomains.logic.formula import (
    Atom,
    Binary,
    Constant,
    Formula,
    Not,
    TooMuch,
    Unreadable,
    atoms,
    read_formula,
    substitute,
    write,
)
from agent0es.taskdomains.logic.semantics import against, column, rows, satisfiable, smt

VARIABLES = (Atom("p"), Atom("q"), Atom("r"))


def formulas() -> st.SearchStrategy[Formula]:
    leaves: st.SearchStrategy[Formula] = st.one_of(st.sampled_from(VARIABLES), st.builds(Constant, st.booleans()))
    connectives = st.sampled_from(("and", "or", "xor", "implies", "iff"))
    return st.recursive(
        leaves,
        lambda inner: st.one_of(st.builds(Not, inner), st.builds(Binary, connectives, inner, inner)),
        max_leaves=12,
    )


def solver_says(formula: Formula) -> bool:
    text = smt(formula)
    assert text is not None
    solver = z3.Solver()
    solver.from_string(text)
    result = solver.check()
    assert result != z3.unknown
    return bool(result == z3.sat)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("p and not q", "p and not q"),
        ("p ∧ ¬q", "p and not q"),
        ("p & ~q", "p and not q"),
        ("p && !q", "p and not q"),
        ("p /\\ ~ q", "p and not q"),
        ("p -> q -> r", "p -> (q -> r)"),
        ("p and q or r", "(p and q) or r"),
        ("not p and q", "not p and q"),
        ("not p <= q", "not (p -> q)"),
        ("(not p) <= q", "not p -> q"),
        ("p and q <= r", "p and (q -> r)"),
        ("not p == q", "not (p <-> q)"),
        ("~p == q", "not p <-> q"),
        ("p != q", "p xor q"),
        ("p implies (q iff r)", "p -> (q <-> r)"),
        ("∀x. P(x) → Q(x)", "forall x. P(x) -> Q(x)"),
        ("forall x P(x) -> Q(a)", "(forall x. P(x)) -> Q(a)"),
        ("exists x, y: R(x, y)", "exists x. exists y. R(x, y)"),
        ("1 or 0", "True or False"),
    ],
)
def test_notations_are_read(text: str, plain: str) -> None:
    assert write(read_formula(text)) == plain


@pytest.mark.parametrize(
    "text", ["", "p q", "p and", "(p", "p)", "and p", "p()", "__import__('os')", "p + q", "2", "∀", "p."]
)
def test_what_is_no_formula_is_said_so(text: str) -> None:
    with pytest.raises(Unreadable):
        read_formula(text)


@pytest.mark.parametrize(
    "text",
    [
        "p xor q or r",
        "p ^ q",
        "p = q",
        "p == q == r",
        "P(f(x))",
        "(" * 100_000 + "p" + ")" * 100_000,
        "(" * 900 + "p" + ")" * 900,
        "not " * 400 + "p",
        "~" * 1900 + "p",
        "p" + " and p" * 300,
        "p" + " -> p" * 300,
        "p" + " iff p" * 300,
        "forall x. " * 150 + "p",
    ],
)
def test_what_has_two_readings_or_is_too_large_is_not_read(text: str) -> None:
    with pytest.raises(TooMuch):
        read_formula(text)


@given(formulas(), st.sampled_from(("arrows", "python", "symbols")))
def test_what_is_written_is_read_back(formula: Formula, notation: str) -> None:
    assert read_formula(write(formula, notation)) == formula


@given(formulas())
def test_python_agrees_with_the_truth_table(formula: Formula) -> None:
    code = compile(write(formula, "python"), "formula", "eval")
    true = [bits for bits in product((0, 1), repeat=3) if eval(code, dict(zip("pqr", bits, strict=True)))]
    assert rows(formula, VARIABLES) == true


@settings(deadline=None)  # the first call loads the solver
@given(formulas())
def test_the_solver_agrees_with_the_truth_table(formula: Formula) -> None:
    assert satisfiable(formula) is solver_says(formula)


@given(st.integers(0, 10**6))
def test_a_rewriting_has_the_same_values(seed: int) -> None:
    rng = random.Random(seed)
    formula = random_formula(rng, VARIABLES, 4, ARROWS)
    assert column(rewritten(rng, formula), VARIABLES) == column(formula, VARIABLES)


@given(st.text(max_size=200))
def test_no_text_makes_the_reader_raise_anything_else(text: str) -> None:
    with suppress(Unreadable, TooMuch):
        read_formula(text)


@given(st.text(alphabet="pqx()[]~!&|<->=^,.∀∃ 01andortxy", max_size=300))
def test_no_text_of_signs_does_either(text: str) -> None:
    try:
        formula = read_formula(text)
    except (Unreadable, TooMuch):
        return
    satisfiable(formula)


@pytest.mark.parametrize(
    ("premises", "conclusion", "follows"),
    [
        (["forall x. P(x) -> Q(x)", "P(a)"], "Q(a)", True),
        (["forall x. P(x) -> Q(x)", "Q(a)"], "P(a)", False),
        (["forall x. P(x)"], "exists x. P(x)", True),
        (["exists x. P(x)", "exists x. Q(x)"], "exists x. P(x) and Q(x)", False),
        (["forall x. exists y. R(x, y)"], "exists y. forall x. R(x, y)", False),
        (["forall x. P(x) or Q(x)"], "(forall x. P(x)) or (forall x. Q(x))", False),
        (["(forall x. P(x)) or (forall x. Q(x))"], "forall x. P(x) or Q(x)", True),
    ],
)
def test_first_order_entailment_is_decided_by_models(premises: list[str], conclusion: str, follows: bool) -> None:
    question = against([read_formula(premise) for premise in premises], read_formula(conclusion))
    assert satisfiable(question) is not follows
    assert solver_says(question) is not follows


def test_what_needs_the_solver_is_not_guessed() -> None:
    question = against([read_formula("exists y. forall x. R(x, y)")], read_formula("forall x. exists y. R(x, y)"))
    assert satisfiable(question) is None and solver_says(question) is False
    wide = read_formula(" and ".join(f"p{i}" for i in range(20)))
    assert len(atoms(wide)) == 20 and satisfiable(wide) is None and solver_says(wide) is True


def test_a_term_is_not_put_where_a_quantifier_would_catch_it() -> None:
    with pytest.raises(ValueError, match="caught"):
        substitute(read_formula("exists y. R(x, y)"), "x", "y")
    assert substitute(read_formula("exists y. R(x, y)"), "x", "a") == read_formula("exists y. R(a, y)")
    assert substitute(Atom("P", ("x",)), "x", "a") == Atom("P", ("a",))
