"""Where the bytes of a run's log go: by what it was for, by event, by field.

    python benchmarks/log_size.py [STORE/log.db] [--run RUN] [--fields 12]

Reads the log of a run that has ended (SQLite), and changes nothing. A task's share is everything that the run wrote,
divided by its tasks: practice, held-out answers and the rest are also shown apart, because the held-out problems are
as many for ten tasks as for a thousand. `on disk` counts whole pages, indices included. A long text counts once, where
it is first referred to.
"""

import argparse
import json
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PART = re.compile(r"attempt/[^/]+/(\d+)(?:/|$)|task/[^/]+/\d")
REFERENCE = re.compile(r'\{"\$text":"([0-9a-f]{64})"\}')


def part_of(stream: str) -> str:
    """What an event was for, by its stream."""
    if PART.match(stream):
        return "practice"
    return "held-out answers" if stream.startswith("attempt/") else "the run"


def sizes(value: Any, name: str) -> Iterator[tuple[str, int]]:
    """(field, bytes of its key and value as canonical JSON) of a JSON object, one level deep."""
    for key, inner in value.items():
        text = json.dumps(inner, separators=(",", ":"), ensure_ascii=False)
        yield f"{name}.{key}", len(json.dumps(key)) + 2 + len(text.encode())


def on_disk(log: sqlite3.Connection) -> dict[str, int]:
    """Bytes of whole pages, by table; a table's indices are added to it."""
    owners = dict(log.execute("SELECT name, tbl_name FROM sqlite_schema"))
    found: Counter[str] = Counter()
    for name, size in log.execute("SELECT name, sum(pgsize) FROM dbstat GROUP BY name"):
        found[owners.get(name, name) + ("" if owners.get(name, name) == name else ", its indices")] += size
    return dict(found.most_common())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("log", nargs="?", type=Path, default=Path("store/log.db"))
    parser.add_argument("--run", help="the run; the first one without it")
    parser.add_argument("--fields", type=int, default=12, help="how many fields are shown")
    given = parser.parse_args()
    with sqlite3.connect(f"{given.log.resolve().as_uri()}?mode=ro", uri=True) as log:
        show(log, given.run, given.fields)


def show(log: sqlite3.Connection, run: str | None, most: int) -> None:
    """Print it all."""
    run = run or log.execute("SELECT run FROM events WHERE run IS NOT NULL ORDER BY seq LIMIT 1").fetchone()[0]
    stored = on_disk(log)
    rows = log.execute("SELECT count(*) FROM events").fetchone()[0]
    parts: dict[str, Counter[str]] = {}
    kinds: dict[str, Counter[str]] = {}
    fields: Counter[str] = Counter()
    seen: set[str] = set()
    tasks = answers = 0
    query = "SELECT stream, topic, state, length(stream) + length(topic) + length(run) + 100 FROM events WHERE run = ?"
    for stream, topic, state, columns in log.execute(f"{query} ORDER BY seq", (run,)):
        kind, part = topic.partition("@")[0], part_of(stream)
        tasks += kind == "TaskCompleted"
        answers += kind == "Verified" and part == "held-out answers"
        whole = json.loads(state)
        texts = {
            name: log.execute("SELECT text FROM texts WHERE sha256 = ?", (name,)).fetchone()[0]
            for name in REFERENCE.findall(state)
            if name not in seen
        }
        seen |= texts.keys()
        long = sum(len(text.encode()) + 64 for text in texts.values())
        content = len(json.dumps(whole["content"], separators=(",", ":"), ensure_ascii=False).encode())
        counted = {"content": content, "meta": len(state.encode()) - content, "columns": columns, "texts": long}
        for group, name in ((parts, part), (kinds, kind)):
            group.setdefault(name, Counter()).update(counted | {"events": 1})
        fields.update(dict(sizes(whole["content"], kind)) | ({f"{kind} → texts": long} if long else {}))
        fields.update(dict(sizes(whole["meta"], "meta")))
        fields["hash"] += 64 + 11 if "hash" in whole else 0
    table(parts, f"{run}: {tasks} tasks, {answers} held-out answers")
    table(kinds, "by event")
    print(f"\n{'by field':44}{'bytes':>12}")
    for name, size in fields.most_common(most):
        print(f"{name:44}{size:12,}")
    total = sum(stored.values())
    shares = f"{total / max(1, rows):,.0f} an event of {rows:,}, {total / max(1, tasks):,.0f} a task"
    print(f"\n{'on disk':44}{total:12,}  {shares}")
    for name, size in stored.items():
        print(f"  {name:42}{size:12,}")


def table(groups: dict[str, Counter[str]], title: str) -> None:
    """One line a group, and all of them together."""
    columns = ("events", "content", "meta", "columns", "texts")
    print(f"\n{title:24}" + "".join(f"{name:>12}" for name in (*columns, "bytes")))
    everything: Counter[str] = Counter()
    for name, counts in sorted(groups.items(), key=lambda item: -sum(item[1].values())):
        everything.update(counts)
        line(name, counts, columns)
    line("together", everything, columns)


def line(name: str, counts: Counter[str], columns: tuple[str, ...]) -> None:
    values = [counts[column] for column in columns]
    print(f"{name:24}" + "".join(f"{value:12,}" for value in (*values, sum(values[1:]))))


if __name__ == "__main__":
    main()
