# mypy: ignore-errors
"""Inside the sandbox: `ls`, `grep` and their like on texts that standard input brings; nothing is opened or started."""

import difflib
import fnmatch
import json
import re
import sys

job = json.loads(sys.stdin.buffer.read())
FILES = job["files"]
FOLDERS = {""} | {path[:at] for path in FILES for at, character in enumerate(path) if character == "/"}
GLOB = re.compile(r"[*?\[]")


class ShellError(Exception):
    """What a command complains of."""


def outside(path):
    raise ShellError(f"{path}: outside the working directory") from PermissionError(1, path)


def normal(path):
    """A path inside the working directory, or ShellError."""
    parts = []
    for part in path.split("/"):
        if part == "..":
            if not parts:
                outside(path)
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    if path.startswith("/"):
        outside(path)
    return "/".join(parts)


def expand(words):
    """Operands with their patterns replaced by the names that fit."""
    found = []
    for word in words:
        if word["glob"]:
            pattern = word["text"].removeprefix("./")
            names = sorted(
                name
                for name in {*FILES, *FOLDERS} - {""}
                if name.count("/") == pattern.count("/")
                and all(fnmatch.fnmatchcase(a, b) for a, b in zip(name.split("/"), pattern.split("/"), strict=False))
            )
            if not names:
                raise ShellError(f"{pattern}: nothing has such a name")
            found += names
        else:
            found.append(word["text"])
    return found


def text_of(path):
    if path == "-":
        return None
    name = normal(path)
    if name in FILES:
        return FILES[name]
    raise ShellError(f"{path}: is a folder" if name in FOLDERS else f"{path}: no such file")


def inputs(operands, stdin):
    """(name, text) of each file; standard input where none is named."""
    pairs = []
    for path in operands or ["-"]:
        text = text_of(path)
        if text is None and stdin is None:
            raise ShellError("no file is named, and nothing comes through a pipe")
        pairs.append((path, stdin if text is None else text))
    return pairs


def lines_of(text):
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    return lines


def joined(lines):
    return "".join(line + "\n" for line in lines)


def all_lines(operands, stdin):
    return [line for _, text in inputs(operands, stdin) for line in lines_of(text)]


def cat(o, operands, stdin):
    text = "".join(text for _, text in inputs(operands, stdin))
    return joined(f"{n:6}\t{line}" for n, line in enumerate(lines_of(text), 1)) if "n" in o else text


def nl(o, operands, stdin):
    number, out = 0, []
    for line in all_lines(operands, stdin):
        number += bool(line)
        out.append(f"{number:6}\t{line}" if line else "")
    return joined(out)


def part(o, operands, stdin, head):
    pairs = inputs(operands, stdin)
    out = []
    for name, text in pairs:
        if len(pairs) > 1 and "q" not in o:
            out.append(("\n" if out else "") + f"==> {name} <==\n")
        if "c" in o:
            data = text.encode()
            cut = data[: o["c"]] if head else data[max(0, len(data) - o["c"]) :]
            out.append(cut.decode("utf-8", "replace"))
        else:
            count, lines = o.get("n", 10), lines_of(text)
            out.append(joined(lines[:count] if head else lines[max(0, len(lines) - count) :]))
    return "".join(out)


def head(o, operands, stdin):
    return part(o, operands, stdin, True)


def tail(o, operands, stdin):
    return part(o, operands, stdin, False)


def wc(o, operands, stdin):
    rows = []
    for name, text in inputs(operands, stdin):
        counts = {"l": text.count("\n"), "w": len(text.split()), "m": len(text), "c": len(text.encode())}
        rows.append(([counts[key] for key in "lwmc" if key in o] if o else [counts[k] for k in "lwc"], name))
    if len(rows) > 1:
        rows.append(([sum(column) for column in zip(*(row for row, _ in rows), strict=False)], "total"))
    return joined(" ".join(map(str, row)) + ("" if name == "-" else f" {name}") for row, name in rows)


def number_of(text):
    found = re.match(r"\s*[-+]?\d{0,300}\.?\d{0,300}", text)
    try:
        return float(found[0]) if found else 0.0
    except ValueError:
        return 0.0


def sort(o, operands, stdin):
    def key(line):
        if "k" in o:
            fields = line.split(o["t"]) if "t" in o else line.split()
            found = re.match(r"(\d{1,4})(?:\.\d+)?([a-z]*)(?:,(\d{1,4}))?", o["k"])
            if found is None:
                raise ShellError(f"sort -k {o['k']}: a number of a field expected")
            first, last = int(found[1]), int(found[3]) if found[3] else len(fields)
            line = " ".join(fields[first - 1 : last])
        line = line.lstrip() if "b" in o else line
        line = line.casefold() if "f" in o else line
        return number_of(line) if "n" in o or "n" in o.get("k", "") else line

    lines = all_lines(operands, stdin)
    ordered = sorted(sorted(lines), key=key, reverse="r" in o)
    if "c" in o:
        if ordered != lines:
            raise ShellError("sort: not in order")
        return ""
    if "u" in o:
        seen, unique = set(), []
        for line in ordered:
            if key(line) not in seen:
                seen.add(key(line))
                unique.append(line)
        ordered = unique
    return joined(ordered)


def uniq(o, operands, stdin):
    groups = []
    for line in all_lines(operands, stdin):
        key = line.casefold() if "i" in o else line
        if groups and groups[-1][0] == key:
            groups[-1][2] += 1
        else:
            groups.append([key, line, 1])
    kept = [g for g in groups if not ("d" in o and g[2] < 2) and not ("u" in o and g[2] > 1)]
    return joined(f"{count:7} {line}" if "c" in o else line for _, line, count in kept)


def ranges(text):
    found = []
    for piece in text.split(","):
        match = re.fullmatch(r"(\d{1,6})?(-)?(\d{1,6})?", piece)
        if match is None or not piece or piece == "-":
            raise ShellError(f"cut: {text}: a list such as 1,3-5 expected")
        first = int(match[1] or 1)
        found.append((first, int(match[3] or 10**6) if match[2] else first))
    return found


def cut(o, operands, stdin):
    if ("f" in o) == ("c" in o):
        raise ShellError("cut: either -f or -c")
    wanted, out = ranges(o.get("f", o.get("c"))), []
    mark = o.get("d", "\t")
    if len(mark) != 1:
        raise ShellError("cut: -d takes one character")
    for line in all_lines(operands, stdin):
        if "f" in o and mark not in line:
            if "s" not in o:
                out.append(line)
            continue
        cells = line.split(mark) if "f" in o else list(line)
        kept = [cell for n, cell in enumerate(cells, 1) if any(low <= n <= high for low, high in wanted)]
        out.append((mark if "f" in o else "").join(kept))
    return joined(out)


def character_set(text):
    classes = {
        "[:lower:]": "a-z",
        "[:upper:]": "A-Z",
        "[:digit:]": "0-9",
        "[:alpha:]": "A-Za-z",
        "[:space:]": " \\n\\t",
    }
    for name, range_ in {**classes, "[:alnum:]": "A-Za-z0-9", "[:punct:]": "!-/:-@[-`{-~"}.items():
        text = text.replace(name, range_)
    text = text.replace("\\n", "\n").replace("\\t", "\t").replace("\\\\", "\\")
    found, at = [], 0
    while at < len(text):
        if at + 2 < len(text) and text[at + 1] == "-" and 0 <= ord(text[at + 2]) - ord(text[at]) < 1000:
            found += map(chr, range(ord(text[at]), ord(text[at + 2]) + 1))
            at += 3
        else:
            found.append(text[at])
            at += 1
    return found


def tr(o, operands, stdin):
    if stdin is None:
        raise ShellError("tr reads what comes through a pipe")
    first = character_set(operands[0])
    second = character_set(operands[1]) if len(operands) > 1 else []
    inside = (lambda c: c not in set(first)) if "c" in o else (lambda c: c in set(first))
    if "d" in o:
        text = "".join(c for c in stdin if not inside(c))
    elif second:
        table = {c: second[min(n, len(second) - 1)] for n, c in reversed(list(enumerate(first)))}
        text = "".join((second[-1] if "c" in o else table[c]) if inside(c) else c for c in stdin)
    else:
        text = stdin
    if "s" in o:
        squeezed = set(second or first)
        text = "".join(c for n, c in enumerate(text) if not (n and c == text[n - 1] and c in squeezed))
    return text


def below(path, deep):
    """Files in a folder."""
    prefix = path + "/" if path else ""
    return [name for name in sorted(FILES) if name.startswith(prefix) and (deep or "/" not in name[len(prefix) :])]


def grep(o, operands, stdin):
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
        pairs = []
        for path in operands or ["."]:
            name = normal(path)
            pairs += [(name, FILES[name])] if name in FILES else [(inner, FILES[inner]) for inner in below(name, True)]
    else:
        pairs = inputs(operands, stdin)
    named = ("H" in o or len(pairs) > 1 or "r" in o) and "h" not in o
    out, hits = [], 0
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


def ls(o, operands, stdin):
    def described(name, full):
        size = len(FILES[full].encode()) if full in FILES else 0
        mark = "/" if full in FOLDERS and ("F" in o or "l" in o) else ""
        return f"{size:8} {name}{mark}" if "l" in o else name + mark

    out = []
    folders = []
    for path in operands or ["."]:
        name = normal(path)
        if name in FILES:
            out.append(described(path, name))
        elif name in FOLDERS:
            folders.append(name)
            if "R" in o:
                folders += sorted(
                    f for f in FOLDERS if f.startswith(name + "/" if name else "") and f not in ("", name)
                )
        else:
            raise ShellError(f"ls: {path}: no such file")
    for folder in folders:
        if len(folders) > 1 or len(operands) > 1:
            out.append(f"{folder or '.'}:")
        prefix = folder + "/" if folder else ""
        names = {
            rest.partition("/")[0] for rest in (n[len(prefix) :] for n in {*FILES, *FOLDERS} if n.startswith(prefix))
        }
        out += [
            described(name, prefix + name)
            for name in sorted(names - {""})
            if not name.startswith(".") or {"a", "A"} & o.keys()
        ]
    return joined(out)


def find(o, operands, stdin):
    start = operands[0] if operands else "."
    base = normal(start)
    if base not in FOLDERS and base not in FILES:
        raise ShellError(f"find: {start}: no such file")
    out = []
    for name in sorted({*FILES, *FOLDERS}):
        if name != base and not name.startswith(base + "/" if base else ""):
            continue
        rest = "" if name == base else name[len(base) + 1 :] if base else name
        depth, last = (rest.count("/") + 1 if rest else 0), name.rpartition("/")[2] or "."
        kind = "f" if name in FILES else "d"
        empty = not FILES[name] if kind == "f" else not any(f.startswith(name + "/" if name else "") for f in FILES)
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


def diff(o, operands, stdin):
    (one_name, one), (two_name, two) = inputs(operands, stdin)

    def normalised(line):
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


def echo(o, operands, stdin):
    return " ".join(operands) + ("" if "n" in o else "\n")


def pwd(o, operands, stdin):
    return ".\n"


COMMANDS = {f.__name__: f for f in (cat, cut, diff, echo, find, grep, head, ls, nl, pwd, sort, tail, tr, uniq, wc)}
stdin, status = None, 0
for stage in job["stages"]:
    operands = (
        [w["text"] for w in stage["operands"]] if stage["command"] in ("tr", "echo") else expand(stage["operands"])
    )
    try:
        stdin, status = COMMANDS[stage["command"]](stage["options"], operands, stdin), 0
    except SystemExit as stop:  # grep that finds nothing; what comes after it reads nothing
        stdin, status = "", stop.code
sys.stdout.write(stdin)
if status:
    raise ShellError(f"{job['stages'][-1]['command']}: nothing found")
