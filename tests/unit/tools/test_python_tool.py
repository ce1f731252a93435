"""What a student writes into `python[…]`, and what it reads back. Runs in the real sandbox."""

import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent0es.sandbox import IsolatedSandbox, open_sandbox, probe
from agent0es.tools import ToolLimits, ToolResult, run_program
from agent0es.tools.program import sanitise
from agent0es.tools.python import PythonTool

TIER = probe().tier
pytestmark = pytest.mark.skipif(TIER is None, reason=probe().detail)
LIMITS = ToolLimits(timeout_seconds=10)

SHOWN = [
    ("17*25", "425"),
    ("0.1+0.2", "0.30000000000000004"),
    ("'abc'[::-1]", "cba"),
    ("  3", "3"),
    ("x = 3\nx * 2", "6"),
    ("    x = 3\n    print(x)", "3"),
    ("print(5)", "5"),
    ("x = 5", "(no output)"),
    ("", "(no output)"),
    ("None", "(no output)"),
    ("def f(n):\n  return 1 if n < 2 else n * f(n - 1)\nf(10)", "3628800"),
    ("math.gcd(48, 36)", "12"),
    ("gcd(48, 36) + lcm(4, 6)", "24"),
    ("comb(5, 2), perm(5, 2), factorial(5)", "(10, 20, 120)"),
    ("sqrt(2)", "1.4142135623730951"),
    ("[x for x in range(9) if gcd(x, 6) == 1]", "[1, 5, 7]"),
    ("date(2024, 2, 28) + timedelta(days=2)", "2024-03-01"),
    ("datetime.date(2024, 1, 1).weekday()", "0"),
    ("datetime(2024, 1, 1).isoformat()", "2024-01-01T00:00:00"),
    ("datetime.datetime(2024, 1, 1).year", "2024"),
    ("Fraction(1, 3) + Fraction(1, 6)", "1/2"),
    ("Decimal('0.1') + Decimal('0.2')", "0.3"),
    ("statistics.mean([1, 2, 3])", "2"),
    ("Counter('banana').most_common(1)", "[('a', 3)]"),
    ("re.sub('a', 'b', 'aa')", "bb"),
    ("string.ascii_lowercase[:3]", "abc"),
    ("list(itertools.accumulate([1, 2, 3]))", "[1, 3, 6]"),
    ("functools.reduce(lambda a, b: a * b, [1, 2, 3])", "6"),
    ("map(str, [1, 2])", "['1', '2']"),
    ("lambda x: x", "<function <lambda>>"),
    ("import sympy\nsympy.factorint(360)", "{2: 3, 3: 2, 5: 1}"),
    ("print('\\x1b[31mred\\x1b[0m\\x07\\u202e é')", "red\\x07\\u202e é"),
    ("math = 3\nmath + 1", "4"),
]

FAILS = [
    ("foo", "error", "NameError: name 'foo' is not defined"),
    ("1/0", "error", "ZeroDivisionError: division by zero"),
    ("f(", "error", "SyntaxError: '(' was never closed"),
    ("x = \n", "error", "SyntaxError: invalid syntax"),
    ("\x00", "error", "SyntaxError: source code string cannot contain null bytes"),
    ("print(1)\nprint(2)\nraise ValueError('a\\nb')", "error", "b"),
    ("assert False", "error", "AssertionError"),
    ("input()", "error", "EOFError: EOF when reading a line"),
    ("import sys; sys.exit(3)", "error", "Error: exit status 3"),
    ("bytearray(3 << 30)", "limit", "MemoryError: more than 512 MB"),
    ("while True: print('x' * 1000)", "limit", "OutputError: printed too much and was stopped"),
    ("open('/x', 'w')", "denied", "OSError: [Errno 30] Read-only file system: '/x'"),
    ("class E(Exception):\n  def __str__(self): raise self\nraise E", "error", "E: (its message can't be shown)"),
]


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """One loop for the module: a sandbox belongs to the loop that first waited for it."""
    one = asyncio.new_event_loop()
    yield one
    one.close()


@pytest.fixture(scope="module")
def sandbox() -> IsolatedSandbox:
    return open_sandbox()


@pytest.fixture(scope="module")
def tool(sandbox: IsolatedSandbox) -> PythonTool:
    return PythonTool(sandbox)


def call(loop: asyncio.AbstractEventLoop, tool: PythonTool, text: str, limits: ToolLimits = LIMITS) -> ToolResult:
    return loop.run_until_complete(tool.run(text, limits))


@pytest.mark.parametrize(("text", "output"), SHOWN)
def test_shows(loop: asyncio.AbstractEventLoop, tool: PythonTool, text: str, output: str) -> None:
    result = call(loop, tool, text)

    assert (result.status, result.output, result.exit_code) == ("ok", output, 0)


@pytest.mark.parametrize(("text", "status", "output"), FAILS)
def test_fails_in_one_line(
    loop: asyncio.AbstractEventLoop, tool: PythonTool, text: str, status: str, output: str
) -> None:
    result = call(loop, tool, text)

    assert (result.status, result.output) == (status, output)


def test_stops_at_the_wall_clock(loop: asyncio.AbstractEventLoop, tool: PythonTool) -> None:
    result = call(loop, tool, "import time; time.sleep(60)", ToolLimits(timeout_seconds=0.5))

    assert (result.status, result.output) == ("timeout", "TimeoutError: stopped after 0.5 s")
    assert result.wall_seconds < 5


def test_marks_what_it_cut_off(loop: asyncio.AbstractEventLoop, tool: PythonTool) -> None:
    result = call(loop, tool, "'é' * 3000", ToolLimits(output_limit_bytes=1001))

    assert result.output == "é" * 500 + "… [truncated]"
    assert result.stdout_bytes == 6001


def test_refuses_an_input_that_is_too_long_without_starting_anything(
    loop: asyncio.AbstractEventLoop, tool: PythonTool
) -> None:
    result = call(loop, tool, "#" * 100_000)

    assert (result.status, result.exit_code) == ("denied", None)


def test_prints_a_set_in_the_same_order_every_time(loop: asyncio.AbstractEventLoop, tool: PythonTool) -> None:
    outputs = {call(loop, tool, "set('abcdefgh')").output for _ in range(3)}

    assert len(outputs) == 1


def test_a_forged_peak_or_error_line_is_only_text(loop: asyncio.AbstractEventLoop, tool: PythonTool) -> None:
    result = call(loop, tool, "import sys; print('\\n\\x1epeak_kb=999999999999999', file=sys.stderr)\n7")

    assert (result.status, result.output) == ("ok", "7")
    assert result.peak_memory_mb < 1000


def test_runs_our_program_on_their_data(loop: asyncio.AbstractEventLoop, sandbox: IsolatedSandbox) -> None:
    program = "import sys, sympy\nprint(sympy.Integer(len(sys.stdin.buffer.read())))"

    result = loop.run_until_complete(run_program(sandbox, program, "__import__('os')", LIMITS))

    assert (result.status, result.output) == ("ok", "16")
    assert result.peak_memory_mb > 20


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=60))
def test_never_raises(loop: asyncio.AbstractEventLoop, tool: PythonTool, text: str) -> None:
    result = call(loop, tool, text)

    assert result.output
    assert result.tier == "full"


@given(st.binary(max_size=200))
def test_sanitised_text_has_no_controls(data: bytes) -> None:
    assert all(character.isprintable() or character in "\n\t" for character in sanitise(data))


def test_files_are_there_and_come_back(loop: asyncio.AbstractEventLoop, tool: PythonTool) -> None:
    code = "import os, own\nprint(open('a.txt').read())\nopen('b/c.txt', 'w').write('new')\nos.remove('a.txt')\nown.x"

    result = loop.run_until_complete(tool.run(code, LIMITS, {"a.txt": "old", "b/d": "", "own.py": "x = 5"}))

    assert (result.status, result.output) == ("ok", "old\n5")
    assert result.files == {"b/c.txt": "new", "b/d": "", "own.py": "x = 5"}
    assert [(file.path, file.bytes, file.text) for file in result.written] == [("b/c.txt", 3, "new")]


def test_two_calls_share_no_files(loop: asyncio.AbstractEventLoop, tool: PythonTool) -> None:
    first = call(loop, tool, "open('x', 'w').write('1')")
    second = call(loop, tool, "import os; os.listdir('.')")

    assert (first.files, second.output) == ({"x": "1"}, "[]")


@pytest.mark.parametrize(
    "code",
    [
        "import socket",
        "from subprocess import run",
        "__import__('ctypes')",
        "import asyncio.events",
        "import nope",
    ],
)
def test_a_module_that_is_not_on_the_list_is_refused_in_a_line(
    loop: asyncio.AbstractEventLoop, tool: PythonTool, code: str
) -> None:
    result = call(loop, tool, code)
    name = code.replace("'", " ").split()[1].split(".")[0].strip("(")

    assert (result.status, result.output) == ("denied", f"ModuleNotFoundError: module {name!r} is not available")
    assert f"module {name}" in result.denied


ON_THE_WAY = {
    "datetime.datetime.strptime('2024-02-29', '%Y-%m-%d').weekday()": "3",
    "datetime.strptime('29 Feb 24', '%d %b %y').month": "2",
    "import time; time.strptime('10:20', '%H:%M').tm_min": "20",
    "when = datetime.datetime.strptime\n[when(year, '%Y').year for year in ('1999', '2001')]": "[1999, 2001]",
    "date(2024, 2, 29).strftime('%A')": "Thursday",
    "'h\u00e9'.encode('idna')": "b'xn--h-bga'",
    "'\\N{LATIN SMALL LETTER E WITH ACUTE}'": "\u00e9",
    "random.seed('a'); random.randint(1, 1)": "1",
    "Decimal(2).sqrt().quantize(Decimal('0.01'))": "1.41",
    "import zoneinfo; datetime.datetime(2024, 7, 1, tzinfo=zoneinfo.ZoneInfo('Europe/Berlin')).isoformat()": (
        "2024-07-01T00:00:00+02:00"
    ),
    "import zoneinfo; zoneinfo.ZoneInfo('America/New_York').tzname(datetime.datetime(2024, 1, 1))": "EST",
    "import zoneinfo; 'Asia/Tokyo' in zoneinfo.available_timezones()": "True",
}
"""What the standard library imports by itself, in C or in Python, while code of the student's runs."""


@pytest.mark.parametrize("code", ON_THE_WAY)
def test_modules_that_a_module_needs_on_the_way_are_there(
    loop: asyncio.AbstractEventLoop, tool: PythonTool, code: str
) -> None:
    result = call(loop, tool, code)
    assert (result.status, result.output, result.denied) == ("ok", ON_THE_WAY[code], ())


@pytest.mark.parametrize("name", ["_strptime", "_pydecimal", "importlib"])
def test_these_modules_themselves_are_not_on_the_list(
    loop: asyncio.AbstractEventLoop, tool: PythonTool, name: str
) -> None:
    assert call(loop, tool, f"datetime.strptime('1', '%d')\nimport {name}").denied == (f"module {name}",)


def test_the_list_of_modules_is_a_hint_and_can_be_another(loop: asyncio.AbstractEventLoop, tool: PythonTool) -> None:
    limits = ToolLimits(timeout_seconds=10, allow=("socket",))
    assert call(loop, tool, "import socket; socket.AF_INET", limits).status == "ok"
    assert call(loop, tool, "math.pi", limits).output == "ModuleNotFoundError: module 'math' is not available"
