"""Code that a model wrote, read and never run: is it Python, what is in it, what would a linter say."""

import ast
import warnings
from collections import Counter
from collections.abc import Iterator

from pyflakes import checker

from agent0es.taskdomains.code.reference import Criteria

LONGEST = 10_000
"""Characters of an answer that is read."""

FORBIDDEN_NAMES = frozenset(
    "eval exec compile open input globals locals vars breakpoint exit quit __import__ __builtins__ __loader__".split()
)
ALLOWED_MODULES = frozenset(
    "abc bisect cmath collections copy dataclasses datetime decimal enum fractions functools heapq itertools math "
    "numbers operator re statistics string textwrap typing unicodedata __future__".split()
)
HARMLESS_DUNDERS = frozenset(
    "__init__ __name__ __doc__ __len__ __getitem__ __contains__ __add__ __mul__ __eq__ __lt__ __iter__ __next__".split()
)


def parsed(code: str) -> ast.Module | str:
    """The syntax tree, or why there is none, in one line. Raises MemoryError or RecursionError for code that is nested
    deeper than Python can read."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a strange escape sequence in hostile text is not our warning
        try:
            return ast.parse(code)
        except (SyntaxError, ValueError) as error:
            return " ".join(str(error).replace("<unknown>, ", "").split())[:120]
        except SystemError as error:  # CPython 3.11 miscounts its depth now and then after such a text
            raise RecursionError("nested too deeply") from error


def named(tree: ast.Module, function: str) -> ast.Module | None:
    """The code with the function bound to its name: a lone lambda is given it. None where nothing has that name."""
    if len(tree.body) == 1 and isinstance(tree.body[0], ast.Expr) and isinstance(tree.body[0].value, ast.Lambda):
        target = ast.Name(function, ast.Store())
        given = ast.Assign([target], tree.body[0].value)
        return ast.fix_missing_locations(ast.Module([given], []))
    return tree if any(function in names for names in map(bound_names, tree.body)) else None


def forbidden(tree: ast.Module) -> str | None:
    """The first thing in the code that no solution needs, in a few words: a module or a name that reaches outside."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                roots = [alias.name.partition(".")[0] for alias in names]
                found = next((f"import of {root}" for root in roots if root not in ALLOWED_MODULES), None)
            case ast.ImportFrom(module=module, level=level):
                root = (module or "").partition(".")[0]
                found = None if root in ALLOWED_MODULES and not level else f"import of {root or 'a neighbour'}"
            case ast.Name(id=name) if name in FORBIDDEN_NAMES:
                found = name
            case ast.Attribute(attr=name) if _dunder(name) and name not in HARMLESS_DUNDERS:
                found = name
            case _:
                found = None
        if found is not None:
            return found[:60]
    return None


def complaints(tree: ast.Module, function: str, criteria: Criteria) -> list[str]:
    """How the code differs from what was asked for."""
    kinds = Counter(kind for node in ast.walk(tree) for kind in _kinds(node))
    found = [f"{kinds[kind]} × {kind}, not {most}" for kind, most in criteria.most.items() if kinds[kind] > most]
    found += [f"no {kind}" for kind, least in criteria.least.items() if kinds[kind] < least]
    if criteria.parameters is not None and _parameters(tree, function) != criteria.parameters:
        found.append(f"the parameters are not ({', '.join(criteria.parameters)})")
    return found


def findings(tree: ast.Module) -> list[str]:
    """What pyflakes says, one line each: unused names, undefined names, redefinitions."""
    try:
        messages = checker.Checker(tree, filename="answer").messages
    except RecursionError:
        return ["too deeply nested to be checked"]
    lines = [message.message % message.message_args for message in sorted(messages, key=lambda one: one.lineno)]
    return [" ".join(line.split())[:80] for line in lines]


def canonical(code: str) -> str | None:
    """The same text for code that differs in layout, quotes and comments alone; None where it is not Python."""
    try:
        tree = parsed(code)
        return None if isinstance(tree, str) else ast.unparse(tree)
    except (MemoryError, RecursionError, ValueError):
        return None


def _kinds(node: ast.AST) -> Iterator[str]:
    yield type(node).__name__
    if isinstance(node, ast.Compare) and len(node.ops) > 1:
        yield "ChainedCompare"


def _parameters(tree: ast.Module, function: str) -> tuple[str, ...] | None:
    """The names of the parameters of the function's last definition."""
    for node in reversed(tree.body):
        match node:
            case ast.FunctionDef(name=name, args=arguments) if name == function:
                return _names(arguments)
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Lambda(args=arguments)) if name == function:
                return _names(arguments)
            case _:
                pass
    return None


def _names(arguments: ast.arguments) -> tuple[str, ...]:
    several = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    return tuple(argument.arg for argument in several if argument is not None)


def bound_names(statement: ast.stmt) -> set[str]:
    """Names that a top-level statement binds, as far as a solution would."""
    match statement:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            return {name}
        case ast.Assign() | ast.AnnAssign() | ast.If() | ast.Try():
            stored = {n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
            return stored | {n.name for n in ast.walk(statement) if isinstance(n, ast.FunctionDef)}
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            return {alias.asname or alias.name for alias in names}
        case _:
            return set()


def _dunder(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")
