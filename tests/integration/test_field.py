"""The script that puts field cases to the verifiers and to the reader says what is not right, and only that."""

from typing import Any

from benchmarks.field import complaints


def verify(reference: str, answer: str, expected: Any) -> dict[str, Any]:
    given = {"domain": "math", "reference": reference, "answer": answer}
    return {"where": "verify math", "kind": answer, "input": given, "expected": expected}


def read(text: str, answer: str | None) -> dict[str, Any]:
    where = 'agents.react.parse(text, ("python", "math"))'
    return {"where": where, "kind": text, "input": text, "expected": {"actions": [], "answer": answer}}


def test_what_is_not_as_expected_is_named() -> None:
    right = [
        verify("12", "**12**", True),
        verify("12", "13", False),
        verify("12", "13", "not true"),
        verify("12", "a dozen or so", None),
        verify("12", "a dozen or so", "true or undecided"),
        read("Answer: 8", "8"),
    ]
    wrong = [verify("12", "13", True), verify("12", "12", "not true"), read("Answer: 8", "9")]
    found = complaints([*right, *wrong])
    assert [line.split(":")[0] for line in found] == [
        "verify math, 13",
        "verify math, 12",
        'agents.react.parse(text, ("python", "math")), Answer',
    ]
