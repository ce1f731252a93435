"""LaTeX as text for the `math` tool; what is not understood is an error and not half understood."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent0es.tools.inside.latex import from_latex, is_latex

FORMULAS = [
    (r"\frac{x^2-1}{x-1}", "((x **(2) - 1)/(x - 1))"),
    (r"\sqrt[3]{27}+\sqrt{2}", "root(27, 3) + sqrt(2)"),
    (r"\sin^2 x + \cos^2 x", "sin(x)**(2) + cos(x)**(2)"),
    (r"\log_{2}(8)", "log(8, 2)"),
    (r"x(x+1)2y", "x*(x + 1)*2*y"),
    (r"e^{i\pi}", "e **(i*pi)"),
    (r"x_1 + x_{12}", "x_1 + x_12"),
    (r"\int x\sin x dx", "integrate(x*sin(x), x)"),
    (r"\int_0^\pi \sin x\,dx", "integrate(sin(x), (x, 0, pi))"),
    (r"\lim_{x\to 0^+} \frac{1}{x}", "limit(((1)/(x)), x, 0, '+')"),
    (r"\sum_{k=1}^{n} k^2", "summation(k **(2), (k, 1, n))"),
    (r"\frac{d}{dx} x^3", "diff(x **(3), x)"),
    (r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}", "Matrix([[1, 2], [3, 4]])"),
    (r"\begin{vmatrix} 1 & 2 \\ 3 & 4 \end{vmatrix}", "det(Matrix([[1, 2], [3, 4]]))"),
    (r"$2x \le 3$", "2*x <= 3"),
    (r"\left(\frac{1}{2}\right)^{3}", "(((1)/(2))) **(3)"),
    (r"simplify(\frac{x}{x})", "simplify(((x)/(x)))"),
    (r"\theta + \lambda", "theta + lamda"),
]
WRONG = [
    r"\foo",
    "}",
    r"\frac{1}",
    r"\int x",
    r"\sqrt[2",
    r"\sin",
    r"\begin{foo} 1 \end{foo}",
    "{" * 60,
    r"\sum k",
    "^",
    "\\",
]


@pytest.mark.parametrize(("formula", "text"), FORMULAS)
def test_reads(formula: str, text: str) -> None:
    assert from_latex(formula) == text


@pytest.mark.parametrize("formula", WRONG)
def test_says_what_it_does_not_know(formula: str) -> None:
    with pytest.raises(ValueError, match="LaTeX"):
        from_latex(formula)


def test_plain_text_is_not_taken_for_it() -> None:
    assert not any(map(is_latex, ["x^2 + 1", "solve(x, y)", "{1, 2}", "a_1"]))
    assert all(map(is_latex, [r"\pi", "$x$", "x^{2}", "x_{1}"]))


PIECES = st.lists(
    st.sampled_from([*(piece for formula, _ in FORMULAS for piece in formula.split()), "{", "}", "^", "_", "\\", "&"]),
    max_size=30,
)


@given(PIECES.map(" ".join) | st.text(max_size=80))
def test_raises_nothing_else(formula: str) -> None:
    try:
        assert isinstance(from_latex(formula), str)
    except ValueError as error:
        assert str(error).startswith("LaTeX")
