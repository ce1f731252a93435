"""Propositional formulas: values, truth tables, satisfiability, equivalence, entailment."""

from functools import partial

from agent0es.taskdomains.base import Int
from agent0es.taskdomains.logic.families import truth_table_instances as instances
from agent0es.taskdomains.logic.families.common import ARROWS, BASIC, EXTRA, VARIABLES, make

practised = partial(make, split="practised", group="truth_tables")
held_out = partial(make, split="held_out", group="truth_tables")

LOOP = "for {names} in product((0, 1), repeat={count})"
SIZES = {"variables": VARIABLES, "extra": EXTRA}
DEEP = {"variables": VARIABLES, "extra": Int((1, 2), (3, 5))}
"""Sizes at which a formula can be true in all rows, or in none."""

FAMILIES = (
    practised(
        name="formula_value",
        build=instances.value,
        action="{names} = {values}; {formula}",
        wordings=(
            "Let {names} = {values}. What is the value of {formula}?",
            "If {names} = {values}, is {formula} True or False?",
        ),
        sizes=SIZES,
    ),
    practised(
        name="satisfying_count",
        build=instances.count(BASIC, false=False),
        action="sum(1 " + LOOP + " if {formula})",
        wordings=(
            "How many assignments of 0 and 1 to {names} make this true: {formula}?",
            "Count the rows of the truth table over {names} in which {formula} is true.",
        ),
        sizes=SIZES,
    ),
    practised(
        name="falsifying_count",
        build=instances.count(BASIC, false=True),
        action="sum(1 " + LOOP + " if not ({formula}))",
        wordings=(
            "How many assignments of 0 and 1 to {names} make this false: {formula}?",
            "Count the rows of the truth table over {names} in which {formula} is false.",
        ),
        sizes=SIZES,
    ),
    practised(
        name="arrow_count",
        build=instances.count(ARROWS, false=False),
        action="sum(1 " + LOOP + " if {formula})",
        wordings=(
            "How many assignments of 0 and 1 to {names} satisfy {arrows}? Write -> as <= in Python.",
            "In how many rows of the truth table over {names} is {arrows} true? (In Python -> is <=.)",
        ),
        sizes=SIZES,
    ),
    practised(
        name="tautology",
        build=instances.always,
        action="all(({formula}) " + LOOP + ")",
        wordings=("Is this true for all values of {names}: {formula}?", "Is {formula} a tautology over {names}?"),
        sizes=DEEP,
    ),
    practised(
        name="satisfiability",
        build=instances.sometimes,
        action="any(({formula}) " + LOOP + ")",
        wordings=("Can any values of {names} make this true: {formula}?", "Is {formula} satisfiable over {names}?"),
        sizes=DEEP,
    ),
    practised(
        name="equivalence",
        build=instances.equivalence,
        action="all(bool({formula}) == bool({other}) " + LOOP + ")",
        wordings=(
            "Are these equivalent for all {names}: {formula}; {other}?",
            "Do {formula} ; {other} have the same truth table over {names}?",
        ),
        sizes=SIZES,
    ),
    practised(
        name="entailment",
        build=instances.entailment,
        action="all(({conclusion}) " + LOOP + " if {formula})",
        wordings=(
            "Premise over {names}: {formula}. Conclusion: {conclusion}. Does the conclusion follow?",
            "Variables {names}. Is {conclusion} true whenever {formula} is true?",
        ),
        sizes=SIZES,
    ),
    practised(
        name="satisfying_model",
        build=instances.model,
        action="next(({names}) " + LOOP + " if {formula})",
        wordings=(
            "Give values 0 or 1 of ({names}) that make this true: {formula}.",
            "Find an assignment ({names}) of 0 and 1 that satisfies {formula}.",
        ),
        sizes=SIZES,
    ),
    practised(
        name="model_list",
        build=instances.models,
        action="[({names}) " + LOOP + " if {formula}]",
        wordings=(
            "List in counting order all assignments ({names}) of 0 and 1 that make this true: {formula}.",
            "Write down, from 0s to 1s, every row ({names}) in which {formula} is true.",
        ),
        sizes=SIZES,
    ),
    practised(
        name="truth_column",
        build=instances.truth_column,
        action="[int({formula}) " + LOOP + "]",
        wordings=(
            "Write the truth table column over {names}, as a list from row 0 on, of {formula}.",
            "List the values 0 or 1 of {formula} for all rows ({names}) in counting order.",
        ),
        sizes={"variables": Int((2, 2), (3, 3)), "extra": EXTRA},
    ),
    practised(
        name="most_ones",
        build=instances.most_ones,
        action="max({total} " + LOOP + " if {formula})",
        wordings=(
            "What is the largest {total} over 0 and 1 for {names} with this true: {formula}?",
            "At most how many of {names} can be 1 while {formula} is true?",
        ),
        sizes=SIZES,
    ),
    practised(
        name="consistency",
        build=instances.consistency,
        action="any({joined} " + LOOP + ")",
        wordings=(
            "Can all of these statements about {names} be true together: {listed}?",
            "Variables {names}. Are these consistent: {listed}?",
        ),
        sizes={"statements": Int((2, 2), (3, 5))},
    ),
    practised(
        name="xor_chain",
        build=instances.exclusive,
        action="{action}",
        wordings=("What is {shown}?", "Compute {shown}."),
        sizes={"bits": Int((3, 4), (7, 10))},
    ),
    practised(
        name="de_morgan",
        build=instances.de_morgan,
        action='{joiner}.join("not " + v for v in {list})',
        wordings=(
            "Write not ({shown}) with `not` only before single variables, joined by {other}.",
            "Push the negation inwards, so that {other} joins the parts: not ({shown}).",
        ),
        sizes={"variables": Int((2, 3), (4, 6))},
    ),
    held_out(
        name="countermodel",
        build=instances.countermodel,
        action="next(({names}) " + LOOP + " if ({formula}) and not ({conclusion}))",
        wordings=(
            "Give values 0 or 1 of ({names}) that make {formula} true and {conclusion} false.",
            "{formula} does not entail {conclusion}. Find an assignment ({names}) of 0 and 1 that shows it.",
        ),
        sizes=SIZES,
    ),
    held_out(
        name="formula_from_rows",
        build=instances.from_rows,
        action='" or ".join("(" + " and ".join(v if b else "not " + v for v, b in zip("{letters}", row)) + ")" '
        "for row in {rows})",
        wordings=(
            "Write a disjunctive normal form over {names} that is true in exactly these rows: {rows}.",
            "Which formula in disjunctive normal form is true for ({names}) in {rows} and nowhere else?",
        ),
        sizes={"variables": Int((2, 2), (3, 4)), "models": Int((1, 2), (3, 4))},
    ),
)
