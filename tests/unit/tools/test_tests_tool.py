"""`tests[…]`: what passes, what fails and why; and row 50 of the list of attacks, ways to pass without being right."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent0es.tools import ToolLimits, ToolResult
from agent0es.tools.tests import TestsTool, concluded, judged_files, read_cases
from tests.unit.tools.sandboxes import LIMITS, Told, call, needs_sandbox, real

SQUARE = "def f(n):\n    return n * n\n"


def cases(*pairs: tuple[str, str]) -> dict[str, str]:
    return {"tests.json": json.dumps([{"call": call, "expect": expect} for call, expect in pairs])}


CALLS = cases(("f(2)", "4"), ("f(3)", "9"))
SCRIPT = {"tests.py": "assert f(2) == 4\nassert f(3) == 9\n"}
SUITE = {
    "test_f.py": "from solution import f\n\n\ndef test_two():\n    assert f(2) == 4\n\n\n"
    "def test_three():\n    assert f(3) == 9\n"
}
UNITTEST = {
    "test_u.py": "import unittest\nfrom solution import f\n\n\nclass T(unittest.TestCase):\n"
    "    def test_two(self):\n        self.assertEqual(f(2), 4)\n\n"
    "    def test_three(self):\n        self.assertEqual(f(3), 9)\n"
}
KINDS = {"calls": CALLS, "script": SCRIPT, "pytest": SUITE, "unittest": UNITTEST}

EVERYTHING = """
import pytest
import solution
from solution import *
from solution import Stack, Empty, f


@pytest.fixture
def stack():
    one = Stack()
    one.push(3)
    return one


@pytest.mark.parametrize("n", [1, 2, 3])
def test_parametrised(n):
    assert solution.f(n) == n * n


def test_object(stack):
    assert len(stack) == 1 and 3 in stack and stack.top == 3
    assert isinstance(stack, Stack) and not isinstance(3, Stack)
    assert stack == stack and stack != Stack()
    assert stack.pop() == 3


def test_exceptions(stack):
    stack.pop()
    with pytest.raises(Empty, match="nothing left"):
        stack.pop()
    with pytest.raises(ZeroDivisionError):
        solution.divide(1, 0)
    with pytest.raises(TypeError):
        f()


def test_in_place():
    numbers = [3, 1, 2]
    solution.sort_in_place(numbers)
    assert numbers == [1, 2, 3]


def test_callback():
    assert solution.apply(lambda x: x + 1, 3) == 4


def test_printed(capsys):
    solution.hello()
    assert capsys.readouterr().out == "hello\\n"


def test_generator_and_types():
    assert list(solution.gen(3)) == [0, 1, 2]
    assert solution.pair() == (1, {"a": {2}})
    assert LIMIT == 7 and LIMIT > 3
"""
WHOLE = """
LIMIT = 7


class Empty(LookupError):
    pass


class Stack:
    def __init__(self):
        self.items = []

    def push(self, item):
        self.items.append(item)

    def pop(self):
        if not self.items:
            raise Empty("nothing left")
        return self.items.pop()

    @property
    def top(self):
        return self.items[-1]

    def __len__(self):
        return len(self.items)

    def __contains__(self, item):
        return item in self.items


def f(n):
    return n * n


def divide(a, b):
    return a / b


def sort_in_place(numbers):
    numbers.sort()


def apply(g, x):
    return g(x)


def hello():
    print("hello")


def gen(n):
    yield from range(n)


def pair():
    return 1, {"a": {2}}
"""


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    one = asyncio.new_event_loop()
    yield one
    one.close()


@pytest.fixture(scope="module")
def tool(loop: asyncio.AbstractEventLoop) -> Iterator[TestsTool]:
    sandbox = real()
    yield TestsTool(sandbox)
    loop.run_until_complete(sandbox.close())


class Run:
    """Runs tests, in one loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, tool: TestsTool) -> None:
        self._loop, self._tool = loop, tool

    def __call__(self, solution: str, files: dict[str, str], limits: ToolLimits = LIMITS) -> ToolResult:
        return self._loop.run_until_complete(self._tool.run(solution, limits, files))


@pytest.fixture(scope="module")
def run(loop: asyncio.AbstractEventLoop, tool: TestsTool) -> Run:
    return Run(loop, tool)


@needs_sandbox
@pytest.mark.parametrize("files", KINDS.values(), ids=KINDS)
def test_a_right_solution_passes_and_a_wrong_one_does_not(run: Run, files: dict[str, str]) -> None:
    right, wrong = run(SQUARE, files), run("def f(n):\n    return n + n\n", files)
    assert (right.status, right.output) == ("ok", "2 of 2 passed")
    assert wrong.status == "ok" and wrong.output.startswith("1 of 2 passed\n")
    assert len(wrong.output.splitlines()) == 2
    nothing = run("", files)
    assert nothing.status == "ok" and nothing.output.startswith("0 of ")


@needs_sandbox
def test_pytest_has_what_people_use_of_it(run: Run) -> None:
    result = run(WHOLE, {"test_all.py": EVERYTHING})
    first, note = result.output.splitlines()
    assert (result.status, first) == ("ok", "9 of 9 passed")
    assert note == "note: 1 passed by what the solution's own objects say (==, in, isinstance), which may lie"


@needs_sandbox
def test_why_a_test_fails_is_said_in_a_line(run: Run) -> None:
    files = cases(("f(1)", "2"), ("g(1)", "2"), ("float(f(2))", "4"), ("[f(2)]", "(4,)"), ("f('a')", "1"), ("f(", "1"))
    assert run(SQUARE, files).output.splitlines() == [
        "0 of 6 passed",
        "f(1): gives 1, not 2",
        "g(1): NameError: name 'g' is not defined",
        "float(f(2)): gives 4.0, not 4",
        "[f(2)]: gives [4], not (4,)",
        "f('a'): TypeError: can't multiply sequence by non-int of type 'str'",
        "f(: SyntaxError: '(' was never closed (<call>, line 1)",
    ]
    script = {"tests.py": "x = f(2)\nassert x == 5\nboom\n\ndef test_a():\n    assert f(0) == 1, 'not one'\n"}
    assert run(SQUARE, script).output.splitlines() == [
        "0 of 3 passed",
        "line 2: AssertionError",
        "line 3: NameError: name 'boom' is not defined",
        "test_a: AssertionError: not one",
    ]


@needs_sandbox
def test_an_exception_may_be_what_is_expected(run: Run) -> None:
    files = {
        "tests.json": json.dumps([{"call": "f()", "raises": "TypeError"}, {"call": "f(1)", "raises": "TypeError"}])
    }
    assert run(SQUARE, files).output.splitlines() == [
        "1 of 2 passed",
        "f(1): gives 1, and does not raise TypeError",
    ]


@needs_sandbox
def test_one_endless_test_does_not_cost_the_others(run: Run) -> None:
    endless = "def f(n):\n    while n == 3:\n        pass\n    return n * n\n"
    for files in (CALLS, SCRIPT, SUITE):
        result = run(endless, files, ToolLimits(timeout_seconds=6))
        assert result.status == "ok" and result.output.startswith("1 of 2 passed\n"), result.output


@needs_sandbox
def test_a_solution_may_be_a_file_with_others_beside_it(run: Run) -> None:
    files = {**SUITE, "solution.py": "from helper import f\n", "helper.py": SQUARE, "data.txt": "5"}
    assert run("", files).output == "2 of 2 passed"


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"a.txt": ""},
        {"tests.json": "x"},
        {"tests.json": "[]"},
        {"tests.json": '[{"call": 1}]'},
        {"tests.json": "{}"},
    ],
)
def test_tests_that_are_none_are_an_error(files: dict[str, str]) -> None:
    result = call(TestsTool(Told()), SQUARE, files)
    assert result.status == "error" and result.output.startswith("TestsError: ") and "\n" not in result.output


@needs_sandbox
def test_a_suite_that_can_not_be_collected_is_a_test_that_fails(run: Run) -> None:
    result = run(SQUARE, {**SUITE, "test_g.py": "from solution import g\n"})
    assert result.output.splitlines()[0] == "2 of 3 passed"
    assert "cannot import name 'g'" in result.output


EQUAL = "class E:\n    def __eq__(self, other): return True\n    def __ne__(self, other): return False\n"
CHEATS = {
    "equal to everything": EQUAL + "def f(n): return E()\n",
    "a number equal to everything": EQUAL.replace("class E", "class E(int)") + "def f(n): return E(1)\n",
    "a list equal to everything": EQUAL.replace("class E", "class E(list)") + "def f(n): return E()\n",
    "ends the process": "import os\ndef f(n): os._exit(0)\n",
    "ends the process at import": "import os\nos._exit(0)\n",
    "exits": "import sys\ndef f(n): sys.exit(0)\n",
    "exits at import": "raise SystemExit(0)\n",
    "prints a verdict": "print('2 of 2 passed')\nprint('{\"done\": true}')\ndef f(n): return 1\n",
    "writes into every pipe": (
        "import os\n"
        'line = b\'{"tests": ["a"]}\\n{"test": "a", "outcome": "passed"}\\n{"done": true}\\n\'\n'
        "for n in range(256):\n    try: os.write(n, line)\n    except OSError: pass\n"
        "def f(n): return 1\n"
    ),
    "replaces what asserts": (
        "import builtins, sys, unittest\n"
        "builtins.AssertionError = type('A', (BaseException,), {})\n"
        "unittest.TestCase.assertEqual = lambda *a: None\n"
        "sys.modules['pytest'] = None\n"
        "def f(n): return 1\n"
    ),
    "replaces the comparison": (
        "import json, builtins\njson.dumps = lambda *a, **k: '4'\nbuiltins.repr = str\ndef f(n): return 1\n"
    ),
    "removes the tests": (
        "import os, shutil\n"
        "for place in ('.', '/tmp'):\n"
        "    for name in os.listdir(place):\n"
        "        shutil.rmtree(os.path.join(place, name), ignore_errors=True)\n"
        "        try: os.remove(os.path.join(place, name))\n        except OSError: pass\n"
        "def f(n): return 1\n"
    ),
    "rewrites the tests": (
        "import glob\n"
        "for path in glob.glob('/tmp/**/*.py', recursive=True) + glob.glob('/tmp/**/*.json', recursive=True):\n"
        "    try: open(path, 'w').write('def test_two(): pass\\ndef test_three(): pass\\n')\n    except OSError: pass\n"
        "def f(n): return 1\n"
    ),
    "reads the tests": (
        "import glob, re\n"
        "text = ''\n"
        "for path in glob.glob('/tmp/**/*', recursive=True) + ['/proc/1/environ', '/proc/1/mem', '/proc/self/fd/0']:\n"
        "    try: text += open(path, errors='replace').read(100000)\n    except (OSError, ValueError): pass\n"
        "def f(n):\n"
        "    found = re.search(r'f\\(%d\\)[^0-9]*([0-9]+)' % n, text)\n    return int(found[1]) if found else 1\n"
    ),
    "finds the tests in memory": (
        "import gc, sys\n"
        "def held():\n"
        "    yield from globals().values()\n"
        "    for one in gc.get_objects():\n"
        "        if type(one) is dict:\n            yield from list(one.values())\n"
        "        elif type(one) in (list, tuple):\n            yield from list(one)\n"
        "    frame = sys._getframe()\n"
        "    while frame:\n        yield from list(frame.f_locals.values()); frame = frame.f_back\n"
        "def f(n):\n"
        "    known = [str(one) for one in held() if type(one) in (str, bytes)]\n"
        "    found = [one for one in known if any(m in one and one != m for m in MARKS) and 'def held' not in one]\n"
        "    return n * n if found else 1\n"
        "MARKS = ['f(2)' + ' == ' + '4', 'exp' + 'ect\": ']\n"
    ),
    "kills what judges": (
        "import os, signal\n"
        "for pid in [1, os.getppid(), *range(2, 20)]:\n"
        "    if pid != os.getpid():\n        try: os.kill(pid, signal.SIGKILL)\n        except OSError: pass\n"
        "def f(n): return 1\n"
    ),
    "ends from a thread": (
        "import threading, os\nthreading.Thread(target=lambda: os._exit(0)).start()\ndef f(n): return 1\n"
    ),
    "a plugin and a conftest": "def f(n): return 1\n",
    "patches what compares, again and again from a thread": (
        "import builtins, math, sys, threading, time, unittest\n"
        "def patch():\n"
        "    while True:\n"
        "        math.isclose = builtins.all = builtins.isinstance = lambda *a, **k: True\n"
        "        builtins.abs = builtins.round = lambda *a: 0\n"
        "        sys.modules['tests'] = sys.modules['pytest'] = sys.modules['__main__'] = sys.modules['unittest']\n"
        "        unittest.TestCase.run = lambda *a: None\n"
        "        time.sleep(0.001)\n"
        "threading.Thread(target=patch, daemon=True).start()\ndef f(n): return 1\n"
    ),
    "ends well at exit": (
        "import atexit, os, sys\n"
        "atexit.register(os._exit, 0)\nsys.excepthook = lambda *a: os._exit(0)\ndef f(n): raise KeyboardInterrupt\n"
    ),
    "a class that is an instance of all": (
        "class M(type):\n"
        "    __instancecheck__ = __subclasscheck__ = __eq__ = __lt__ = __ge__ = lambda *a: True\n"
        "    __hash__ = type.__hash__\n"
        "class f(metaclass=M):\n    def __new__(cls, n): return cls\n"
    ),
}
BESIDE = {
    "conftest.py": "import pytest\n@pytest.hookimpl(hookwrapper=True)\ndef pytest_runtest_makereport(item, call):\n"
    "    outcome = yield\n    outcome.get_result().outcome = 'passed'\n",
    "pytest.ini": "[pytest]\naddopts = --collect-only\n",
    "pytest.py": "def main(*a, **k): return 0\n",
    "unittest.py": "class TestCase: pass\n",
    "json.py": "def dumps(*a): return '4'\n",
}


@needs_sandbox
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cheat", CHEATS)
def test_a_cheat_gets_no_credit(run: Run, cheat: str, kind: str) -> None:
    result = run(CHEATS[cheat], {**KINDS[kind], **BESIDE}, ToolLimits(timeout_seconds=6))
    passed = result.output.split(" passed")[0]
    assert result.status != "ok" or passed in ("0 of 1", "0 of 2"), result.output


ALL = "sub rsub add radd mul rmul truediv rtruediv floordiv mod pow and or xor abs neg float int len"
OPERATORS = f"""
NAMES = [f'__{{name}}__' for name in '{ALL}'.split()]
def lying(what, *bases):
    return type('E', bases, {{name: (lambda name: lambda self, *a: what(self, name, a))(name) for name in NAMES}})
"""
LIARS = {
    "operators give nothing": "E = lying(lambda s, name, a: 0.0 if name == '__float__' else 0)\ndef f(n): return E()\n",
    "operators give the object, and its size is nothing": (
        "E = lying(lambda s, name, a: {'__abs__': 0, '__float__': 0.0, '__int__': 0, '__len__': 0}.get(name, s))\n"
        "def f(n): return E()\n"
    ),
    "operators give what they were shown": (
        "E = lying(lambda s, name, a: a[0] if a else 0.0 if name == '__float__' else 0)\ndef f(n): return E()\n"
    ),
    "an integer with such operators": "E = lying(lambda s, name, a: 0, int)\ndef f(n): return E(1)\n",
    "a float with such operators": "E = lying(lambda s, name, a: 0.0, float)\ndef f(n): return E(1.0)\n",
}
BY_DIFFERENCE = """
abs(f(2) - 4) < 1e-6
abs(4 - f(2)) < 1e-6
-1e-6 < f(2) - 4 < 1e-6
not (f(2) - 4)
f(2) - 4 == 0
f(2) == pytest.approx(4)
pytest.approx(4) == f(2)
math.isclose(f(2), 4)
round(f(2), 3) == 4
abs(f(2) / 4 - 1) < 1e-6
abs(4 / f(2) - 1) < 1e-6
f(2) % 4 == 0
f(2) // 4 == 1
divmod(f(2), 4) == (1, 0)
abs(f(2) + -4) < 1e-6
abs(-f(2) + 4) < 1e-6
abs(f(2) * 1.0 - 4) < 1e-6
float(f(2) - 4) == 0
int(f(2)) == 4
(f(2) ^ 4) == 0
(f(2) & 4) == 4
sum([f(2), -4]) == 0
f(2) in (4, 5)
f(2) >= 4 and f(2) <= 4
str(f(2)) == '4'
len(str(f(2) - 4)) == 1 and str(f(2) - 4) == '0'
"""
ASSERTED = BY_DIFFERENCE.strip().split("\n")
CLOSE = {
    "test_close.py": "import math\nimport pytest\nimport unittest\nfrom solution import f\n\n\n"
    + "".join(f"def test_{i}():\n    assert {line}\n\n\n" for i, line in enumerate(ASSERTED))
    + "class Close(unittest.TestCase):\n"
    + "    def test_places(self):\n        self.assertAlmostEqual(f(2), 4)\n\n"
    + "    def test_delta(self):\n        self.assertAlmostEqual(4, f(2), delta=1e-6)\n"
}
CLOSE_SCRIPT = {"tests.py": "".join(f"assert {line}\n" for line in ASSERTED if "pytest" not in line)}


@needs_sandbox
@pytest.mark.parametrize("cheat", LIARS)
def test_an_object_is_near_to_no_number(run: Run, cheat: str) -> None:
    for files in (CLOSE, CLOSE_SCRIPT):
        result = run(OPERATORS + LIARS[cheat], files)
        assert result.status == "ok" and result.output.startswith("0 of "), result.output


@needs_sandbox
def test_a_number_is_near_to_what_is_expected(run: Run) -> None:
    count = len(ASSERTED)
    assert run(SQUARE, CLOSE).output == f"{count + 2} of {count + 2} passed"
    assert run(SQUARE, CLOSE_SCRIPT).output.splitlines()[0] == f"{count - 3} of {count - 2} passed"  # `math` is missing
    real = run("def f(n): return float(n * n) + 1e-9\n", {"tests.py": "assert abs(f(2) - 4) < 1e-6\n"})
    assert real.output == "1 of 1 passed"


VECTOR = """
class V:
    def __init__(self, *x): self.x = x
    def __add__(self, o): return V(*(a + o for a in self.x)) if isinstance(o, int) else V(*map(sum, zip(self.x, o.x)))
    def __sub__(self, o): return self + -1 * o
    def __mul__(self, k): return V(*(a * k for a in self.x))
    __rmul__ = __mul__
    def __matmul__(self, o): return sum(a * b for a, b in zip(self.x, o.x))
    def __abs__(self): return (self @ self) ** 0.5
    def __eq__(self, o): return self.x == o.x
    def __getitem__(self, i): return self.x[i]
"""


@needs_sandbox
def test_classes_with_operators_can_be_tested_and_it_is_said_whom_a_test_believes(run: Run) -> None:
    lines = [
        "V(1, 2) + V(3, 4) == V(4, 6)",
        "V(1, 2) + 3 == V(4, 5)",
        "2 * V(1, 2) == V(2, 4)",
        "V(1, 2) @ V(3, 4) == 11",
    ]
    lines += ["abs(V(3, 4)) == 5", "abs(V(3, 4) * 2) == 10", "(V(5, 6) - V(1, 1))[0] == 4", "V(1, 2).x == (1, 2)"]
    result = run(VECTOR, {"tests.py": "".join(f"assert {line}\n" for line in lines)})
    assert result.output.splitlines() == [
        "8 of 8 passed",
        "note: 3 passed by what the solution's own objects say (==), which may lie",
    ]


@needs_sandbox
def test_a_comparison_inside_a_call_is_told(run: Run) -> None:
    note = "note: 1 passed by what the solution's own objects say (operators in the call), which may lie"
    assert run(EQUAL + "def f(n): return E()\n", cases(("f(2) == 4", "True"))).output == f"1 of 1 passed\n{note}"
    plain = cases(("f(2)", "4"), ("str(f(3))", "'9'"), ("[f(2 * 2)]", "[16]"), ("f(-1)", "1"))
    assert run(SQUARE, plain).output == "4 of 4 passed"


@needs_sandbox
def test_a_result_that_changed_what_it_is_compared_with_is_told(run: Run) -> None:
    emptied = "def f(x):\n    x.clear()\n    return []\n"
    result = run(emptied, {"tests.py": "x = [3, 1]\nassert f(x) == sorted(x)\n"})
    note = "note: 1 passed by what the solution's own objects say (arguments that it changed), which may lie"
    assert result.output.splitlines() == ["1 of 1 passed", note]


WALK = """
import glob, os, tempfile
def each(change):
    for path in ['expected.txt', *glob.glob(tempfile.gettempdir() + '/tests-*/expected.txt')]:
        try: change(path)
        except OSError: pass
def overwrite(path):
    with open(path, 'w') as file: file.write('1')
"""
CHANGES_DATA = {
    "when loaded": "each(overwrite)\ndef f(n): return 1\n",
    "when called": "def f(n):\n    each(overwrite)\n    return 1\n",
    "again and again": (
        "import threading\n"
        "def again():\n    while True: each(overwrite)\n"
        "threading.Thread(target=again, daemon=True).start()\ndef f(n): return 1\n"
    ),
    "with another file in its place": (
        "def replace(path):\n"
        "    overwrite(path + '.new')\n    os.chmod(path + '.new', 0o444)\n    os.replace(path + '.new', path)\n"
        "    os.unlink(path)\n    os.symlink(path + '.other', path)\n    overwrite(path + '.other')\n"
        "def f(n):\n    each(replace)\n    return 1\n"
    ),
    "with a folder in its place": (
        "def replace(path):\n    os.unlink(path)\n    os.makedirs(path + '/x')\n"
        "def f(n):\n    each(replace)\n    return 1\n"
    ),
}
READING = [
    "str(f(2)) == open('expected.txt').read().strip()",
    "str(f(2)) == Path('expected.txt').read_text().strip()",
    "f(2) == int(open(os.path.abspath('expected.txt'), 'rb').read())",
    "f(2) == json.load(open('expected.txt', encoding='utf-8'))",
    "f(2) == [int(line) for line in open('expected.txt')][0]",
    "f(2) == int(io.open('./expected.txt').readline())",
]
IMPORTS = "import io\nimport json\nimport os\nfrom pathlib import Path\n"
DATA_SUITES = {
    "script": {"tests.py": IMPORTS + "".join(f"assert {line}\n" for line in READING)},
    "pytest": {
        "test_data.py": IMPORTS
        + "from solution import f\n"
        + "".join(f"def test_{i}():\n    assert {line}\n" for i, line in enumerate(READING))
    },
}


@needs_sandbox
@pytest.mark.parametrize("kind", DATA_SUITES)
def test_a_suites_data_stays_as_it_was_given(run: Run, kind: str) -> None:
    files = {**DATA_SUITES[kind], "expected.txt": "4\n"}
    assert run(SQUARE, files).output == f"{len(READING)} of {len(READING)} passed"
    for name, cheat in CHANGES_DATA.items():
        result = run(WALK + cheat, files)
        assert result.status == "ok" and result.output.startswith("0 of "), (name, result.output)


@needs_sandbox
def test_tests_may_write_files_of_their_own(run: Run) -> None:
    script = "with open('data.txt', 'a') as file: file.write('b')\nassert open('data.txt').read() == 'ab'\n"
    script += "open('new.txt', 'w').write('c')\nassert open('new.txt').read() == 'c'\nassert f(2) == 4\n"
    assert run(SQUARE, {"tests.py": script, "data.txt": "a"}).output == "3 of 3 passed"


@pytest.mark.parametrize("cheat", ["operators give nothing", "operators give what they were shown"])
def test_canary_a_difference_in_one_process_gives_credit(tmp_path: Path, cheat: str) -> None:
    (tmp_path / "run.py").write_text(OPERATORS + LIARS[cheat] + "assert not (f(2) - 4) or f(2) - 4 == 4\n")
    assert subprocess.run([sys.executable, "run.py"], cwd=tmp_path, check=False).returncode == 0


@pytest.mark.parametrize("cheat", ["equal to everything", "ends the process at import", "a list equal to everything"])
def test_canary_a_run_in_one_process_gives_credit(tmp_path: Path, cheat: str) -> None:
    """The usual way, solution and asserts in one process and the exit status as the verdict, believes these."""
    (tmp_path / "run.py").write_text(CHEATS[cheat] + SCRIPT["tests.py"])
    assert subprocess.run([sys.executable, "run.py"], cwd=tmp_path, check=False).returncode == 0


def test_canary_a_conftest_beside_the_tests_gives_credit(tmp_path: Path) -> None:
    """Plain pytest believes the solution's conftest.py."""
    files = {**SUITE, "conftest.py": BESIDE["conftest.py"], "solution.py": "def f(n): return 1\n"}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(tmp_path),
        str(tmp_path),
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "2 passed" in done.stdout


def test_canary_memory_that_holds_the_tests_gives_them_away() -> None:
    """Beside the tests' text, in one process, the search of the memory finds it."""
    names: dict[str, object] = {"tests": SCRIPT["tests.py"]}
    exec(CHEATS["finds the tests in memory"], names)
    assert eval("f(3)", names) == 9


def test_a_test_without_an_outcome_is_not_passed() -> None:
    [outcome] = judged_files([{"tests": ["a"]}, {"test": "b", "outcome": "passed"}])
    assert (outcome.test, outcome.passed) == ("a", False)


@given(st.binary(max_size=200))
def test_whatever_the_run_reported_there_is_a_result(stdout: bytes) -> None:
    assert concluded(stdout, judged_files)[0] == "error"


@given(
    st.text(max_size=100)
    | st.recursive(st.none() | st.text(), lambda i: st.lists(i) | st.dictionaries(st.text(), i)).map(json.dumps)
)
def test_cases_are_read_or_refused_in_a_line(text: str) -> None:
    found = read_cases(text)
    assert isinstance(found, list) or "\n" not in found
