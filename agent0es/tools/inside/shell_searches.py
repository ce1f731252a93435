"""Commands that look for something: `grep`, `ls`, `find`, `diff`."""

import difflib
import fnmatch
import re
from collections.abc import Sequence

from agent0es.tools.inside.shell_tree import Options, ShellError, Tree, joined, lines_of, normal


def grep(tree: Tree, o: Options, operands: Sequence[str], stdin: str | None) -> str:
    pattern = re.escape(o["e"]) if "F" in o else o["e"]
    if "w" in o:
        pattern = rf"\b(?:{pattern})\b"
    if "x" in o:
        pattern = rf"(?:{pattern})\Z"
    try:
        wanted = re.compile(pattern, re.IGNORECASE if "i" in o else 0)
    except (re.error, OverflowError, RecursionError) as error:
        raise ShellError(f"grep: {error}") from None
    search = wanted.match if "x" in o else wanted.search
    if "r" in o:
        pairs: list[tuple[str, str]] = []
        for path in operands or ["."]:
            name = normal(path)
            pairs += (
                [(name, tree.files[name])]
                if name in tree.files
                else [(inner, tree.files[inner]) for inner in tree.below(name)]
            )
    else:
        pairs = tree.inputs(operands, stdin)
    named = ("H" in o or len(pairs) > 1 or "r" in o) and "h" not in o
    out, hits = list[str](), 0
    for name, text in pairs:
        lines = lines_of(text)
        found = [n for n, line in enumerate(lines) if (search(line) is None) == ("v" in o)][: o.get("m")]
        hits += len(found)
        label = f"{name}:" if named else ""
        if "q" in o:
            continue
        if "l" in o:
            out += [name] * bool(found)
        elif "c" in o:
            out.append(f"{label}{len(found)}")
        else:
            before, after = o.get("B", o.get("C", 0)), o.get("A", o.get("C", 0))
            shown = sorted({k for n in found for k in range(max(0, n - before), min(len(lines), n + after + 1))})
            for n in shown:
                count = f"{n + 1}:" if "n" in o else ""
                pieces = [m[0] for m in wanted.finditer(lines[n])] if "o" in o and "v" not in o else [lines[n]]
                out += [f"{label}{count}{piece}" for piece in pieces]
    if not hits:
        raise SystemExit(1)
    return joined(out)


def ls(tree: Tree, o: Options, operands: Sequence[str], stdin: str | None) -> str:
    def described(name: str, full: str) -> str:
        size = len(tree.files[full].encode()) if full in tree.files else 0
        mark = "/" if full in tree.folders and ("F" in o or "l" in o) else ""
        return f"{size:8} {name}{mark}" if "l" in o else name + mark

    out: list[str] = []
    folders: list[str] = []
    for path in operands or ["."]:
        name = normal(path)
        if name in tree.files:
            out.append(described(path, name))
        elif name in tree.folders:
            folders.append(name)
            if "R" in o:
                folders += sorted(
                    f for f in tree.folders if f.startswith(name + "/" if name else "") and f not in ("", name)
                )
        else:
            raise ShellError(f"ls: {path}: no such file")
    for folder in folders:
        if len(folders) > 1 or len(operands) > 1:
            out.append(f"{folder or '.'}:")
        prefix = folder + "/" if folder else ""
        names = {
            rest.partition("/")[0]
            for rest in (n[len(prefix) :] for n in {*tree.files, *tree.folders} if n.startswith(prefix))
        }
        out += [
            described(name, prefix + name)
            for name in sorted(names - {""})
            if not name.startswith(".") or {"a", "A"} & o.keys()
        ]
    return joined(out)


def find(tree: Tree, o: Options, operands: Sequence[str], stdin: str | None) -> str:
    start = operands[0] if operands else "."
    base = normal(start)
    if base not in tree.folders and base not in tree.files:
        raise ShellError(f"find: {start}: no such file")
    out = []
    for name in sorted({*tree.files, *tree.folders}):
        if name != base and not name.startswith(base + "/" if base else ""):
            continue
        rest = "" if name == base else name[len(base) + 1 :] if base else name
        depth, last = (rest.count("/") + 1 if rest else 0), name.rpartition("/")[2] or "."
        kind = "f" if name in tree.files else "d"
        empty = (
            not tree.files[name]
            if kind == "f"
            else not any(f.startswith(name + "/" if name else "") for f in tree.files)
        )
        tests = (
            o.get("-maxdepth", depth) >= depth >= o.get("-mindepth", 0),
            "-name" not in o or fnmatch.fnmatchcase(last, o["-name"]),
            "-iname" not in o or fnmatch.fnmatchcase(last.lower(), o["-iname"].lower()),
            "-path" not in o or fnmatch.fnmatchcase(f"{start}/{rest}", o["-path"]),
            o.get("-type", kind) == kind,
            "-empty" not in o or empty,
        )
        if all(tests):
            out.append(f"{start.rstrip('/')}/{rest}" if rest else start)
    return joined(out)


def diff(tree: Tree, o: Options, operands: Sequence[str], stdin: str | None) -> str:
    (one_name, one), (two_name, two) = tree.inputs(operands, stdin)

    def normalised(line: str) -> str:
        line = line.casefold() if "i" in o else line
        return "".join(line.split()) if "w" in o else " ".join(line.split()) if "b" in o else line

    left, right = lines_of(one), lines_of(two)
    a, b = list(map(normalised, left)), list(map(normalised, right))
    if a == b:
        return ""
    if "q" in o:
        return f"Files {one_name} and {two_name} differ\n"
    if "u" in o:
        return joined(line.rstrip("\n") for line in difflib.unified_diff(left, right, one_name, two_name, lineterm=""))
    out = []
    for tag, i, j, k, m in difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        at = [
            f"{low + 1},{high}" if high - low > 1 else str(high if high > low else low)
            for low, high in ((i, j), (k, m))
        ]
        out.append(at[0] + {"replace": "c", "delete": "d", "insert": "a"}[tag] + at[1])
        out += [f"< {line}" for line in left[i:j]]
        out += ["---"] * (tag == "replace")
        out += [f"> {line}" for line in right[k:m]]
    return joined(out)
