"""Commands that make a text of texts: `cat`, `sort`, `cut` and their like."""

import re
from collections.abc import Sequence

from agent0es.tools.inside.shell_tree import Options, ShellError, Tree, joined, lines_of


def cat(tree: Tree, o: Options, operands: Sequence[str], stdin: str | None) -> str:
    text = "".join(text for _, text in tree.inputs(operands, stdin))
    return joined(f"{n:6}\t{line}" for n, line in enumerate(lines_of(text), 1)) if "n" in o else text


def nl(tree: Tree, o: Options, operands: Sequence[str], stdin: str | None) -> str:
    number, out = 0, list[str]()
    for line in tree.all_lines(operands, stdin):
        number += bool(line)
        out.append(f"{number:6}\t{line}" if line else "")
    return joined(out)


def part(tree: Tree, o: Options, operands: Sequence[str], stdin: str | None, head: bool) -> str:
    pairs = tree.inputs(operands, stdin)
    out: list[str] = []
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


def head(tree: Tree, o: Options, operands: Sequence[str], stdin: str | None) -> str:
    return part(tree, o, operands, stdin, True)


def tail(tree: Tree, o: Options, operands: Sequence[str], stdin: str | None) -> str:
    return part(tree, o, operands, stdin, False)


def wc(tree: Tree, o: Options, operands: Sequence[str], stdin: str | None) -> str:
    rows: list[tuple[list[int], str]] = []
    for name, text in tree.inputs(operands, stdin):
        counts = {"l": text.count("\n"), "w": len(text.split()), "m": len(text), "c": len(text.encode())}
        rows.append(([counts[key] for key in "lwmc" if key in o] if o else [counts[k] for k in "lwc"], name))
    if len(rows) > 1:
        rows.append(([sum(column) for column in zip(*(row for row, _ in rows), strict=False)], "total"))
    return joined(" ".join(map(str, row)) + ("" if name == "-" else f" {name}") for row, name in rows)


def number_of(text: str) -> float:
    found = re.match(r"\s*[-+]?\d{0,300}\.?\d{0,300}", text)
    try:
        return float(found[0]) if found else 0.0
    except ValueError:
        return 0.0


def sort(tree: Tree, o: Options, operands: Sequence[str], stdin: str | None) -> str:
    def key(line: str) -> str | float:
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

    lines = tree.all_lines(operands, stdin)
    ordered = sorted(sorted(lines), key=key, reverse="r" in o)
    if "c" in o:
        if ordered != lines:
            raise ShellError("sort: not in order")
        return ""
    if "u" in o:
        seen: set[str | float] = set()
        unique: list[str] = []
        for line in ordered:
            if key(line) not in seen:
                seen.add(key(line))
                unique.append(line)
        ordered = unique
    return joined(ordered)


def uniq(tree: Tree, o: Options, operands: Sequence[str], stdin: str | None) -> str:
    groups: list[tuple[str, str, int]] = []
    for line in tree.all_lines(operands, stdin):
        key = line.casefold() if "i" in o else line
        if groups and groups[-1][0] == key:
            groups[-1] = (key, groups[-1][1], groups[-1][2] + 1)
        else:
            groups.append((key, line, 1))
    kept = [g for g in groups if not ("d" in o and g[2] < 2) and not ("u" in o and g[2] > 1)]
    return joined(f"{count:7} {line}" if "c" in o else line for _, line, count in kept)


def ranges(text: str) -> list[tuple[int, int]]:
    found = []
    for piece in text.split(","):
        match = re.fullmatch(r"(\d{1,6})?(-)?(\d{1,6})?", piece)
        if match is None or not piece or piece == "-":
            raise ShellError(f"cut: {text}: a list such as 1,3-5 expected")
        first = int(match[1] or 1)
        found.append((first, int(match[3] or 10**6) if match[2] else first))
    return found


def cut(tree: Tree, o: Options, operands: Sequence[str], stdin: str | None) -> str:
    if ("f" in o) == ("c" in o):
        raise ShellError("cut: either -f or -c")
    wanted, out = ranges(o.get("f", o.get("c"))), list[str]()
    mark = o.get("d", "\t")
    if len(mark) != 1:
        raise ShellError("cut: -d takes one character")
    for line in tree.all_lines(operands, stdin):
        if "f" in o and mark not in line:
            if "s" not in o:
                out.append(line)
            continue
        cells = line.split(mark) if "f" in o else list(line)
        kept = [cell for n, cell in enumerate(cells, 1) if any(low <= n <= high for low, high in wanted)]
        out.append((mark if "f" in o else "").join(kept))
    return joined(out)


def character_set(text: str) -> list[str]:
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
    found, at = list[str](), 0
    while at < len(text):
        if at + 2 < len(text) and text[at + 1] == "-" and 0 <= ord(text[at + 2]) - ord(text[at]) < 1000:
            found += map(chr, range(ord(text[at]), ord(text[at + 2]) + 1))
            at += 3
        else:
            found.append(text[at])
            at += 1
    return found


def tr(tree: Tree, o: Options, operands: Sequence[str], stdin: str | None) -> str:
    if stdin is None:
        raise ShellError("tr reads what comes through a pipe")
    first = character_set(operands[0])
    second = character_set(operands[1]) if len(operands) > 1 else []

    def inside(character: str) -> bool:
        return (character in first) is ("c" not in o)

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


def echo(tree: Tree, o: Options, operands: Sequence[str], stdin: str | None) -> str:
    return " ".join(operands) + ("" if "n" in o else "\n")


def pwd(tree: Tree, o: Options, operands: Sequence[str], stdin: str | None) -> str:
    return ".\n"
