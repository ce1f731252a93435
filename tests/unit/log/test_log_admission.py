"""An export whose hashes are all right, and whose author means harm: refused in one line, nothing written."""

import base64
import hashlib
import json
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from agent0es.errors import StoreError
from agent0es.log import EventLog
from agent0es.log.chain import GENESIS, chain
from agent0es.log.mapper import split_state
from agent0es.log.transfer import verify_export
from agent0es.projections import Projections
from tests.unit.projections.history import history

MUTATIONS = 300

Line = dict[str, Any]
Change = Callable[[dict[str, Any], dict[str, Any], dict[str, Any]], object]
"""Of a row, its content and its meta, in place."""


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[Line]:
    """An export with one event of each type that a run wrote, and a mark."""
    folder = tmp_path_factory.mktemp("source")
    with EventLog.open(folder / "log.db") as log:
        seen: set[str] = set()
        first = [new for new in history(random.Random(1), "r", iterations=1) if new.event.type not in seen]
        chosen = [new for new in first if not (new.event.type in seen or seen.add(new.event.type))]
        cause = log.append(chosen[:1], handler="cli")[0]
        log.append(chosen[1:], handler="h", cause=cause, handled=True)
        log.export(folder / "export")
    return [json.loads(line) for line in (folder / "export").read_text().splitlines()]


def forged(lines: list[Line], file: Path) -> Path:
    """An export of these lines in which every hash is right, as far as there is something to hash."""
    previous, first, size = GENESIS, "", 0
    text = ""
    for line in lines:
        kind, row = next(iter(line.items()), ("", None))
        if kind == "event":
            try:
                state = row["state"].encode("utf-8", "surrogatepass")
                previous = chain(previous, row["stream"], row["version"], row["topic"], state)
                row["chain_hash"] = previous
            except (AttributeError, TypeError, ValueError, KeyError, OverflowError):
                pass
            size, first = size + 1, first or previous
        if kind == "end":
            root = base64.b64encode(bytes.fromhex(previous)).decode()
            row = {"checkpoint": f"agent0es/{first[:16]}\n{size}\n{root}\n"}
            line = {"end": row | {"sha256": hashlib.sha256(text.encode()).hexdigest()}}
        text += json.dumps(line, separators=(",", ":")) + "\n"
    file.write_text(text)
    return file


def changed(lines: list[Line], kind: str, change: Change) -> list[Line]:
    """The lines with one event changed, its own hash made right."""
    copy: list[Line] = json.loads(json.dumps(lines))
    row = next(line["event"] for line in copy if line.get("event", {}).get("topic", "").startswith(f"{kind}@"))
    parts = split_state(row["state"].encode())
    content, meta = json.loads(parts.content), json.loads(parts.meta)
    change(row, content, meta)
    if row.get("state") is not None and "keep" not in row:
        row["state"] = state_of(content, meta)
    row.pop("keep", None)
    return copy


def state_of(content: Any, meta: Any) -> str:
    data = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    sha256 = hashlib.sha256(data.encode("utf-8", "surrogatepass")).hexdigest()
    return (
        f'{{"hash":"{sha256}","meta":{json.dumps(meta, separators=(",", ":"), ensure_ascii=False)},"content":{data}}}'
    )


def renamed(lines: list[Line], name: str) -> list[Line]:
    """All of it under another name of the run."""
    copy: list[Line] = json.loads(json.dumps(lines))
    for line in copy:
        if "handled" in line:
            line["handled"]["run"] = name
        if "event" in line:
            row = line["event"]
            kind, _run, *rest = row["stream"].split("/", 2)
            parts = split_state(row["state"].encode())
            meta = json.loads(parts.meta) | {"correlation": name}
            if "handled" in meta:
                meta["handled"] = [[name, *mark] for _run, *mark in meta["handled"]]
            state = state_of(json.loads(parts.content), meta)
            row.update(stream="/".join((kind, name, *rest)), run=name, state=state)
    return copy


@contextmanager
def imported(file: Path) -> Iterator[EventLog]:
    """What the command does, into a store in memory. Raises StoreError."""
    report = verify_export(file)
    if not report.ok:
        raise StoreError(f"{file}: {report.finding}")
    with EventLog.open(":memory:") as log:
        try:
            log.load(file, report)
        except StoreError:
            assert log.head() == 0
            raise
        yield log


def test_the_forger_knows_the_trade(lines: list[Line], tmp_path: Path) -> None:
    for name, made in (("same", lines), ("renamed", renamed(lines, "other"))):
        with imported(forged(made, tmp_path / name)) as log:
            assert log.verify().ok
            assert log.runs() == ["r" if name == "same" else "other"]
            assert len(list(log.read())) > 20


@pytest.mark.parametrize("name", ["..", "-rf", "a b", "\u202eabc", "x" * 65, ".hidden"])
def test_a_run_of_a_bad_name_is_refused(lines: list[Line], name: str, tmp_path: Path) -> None:
    file = forged(renamed(lines, name), tmp_path / "file")
    with pytest.raises(StoreError, match="can't be the name of a run"), imported(file):
        pass


def test_a_run_that_is_named_like_a_path_is_refused(lines: list[Line], tmp_path: Path) -> None:
    file = forged(renamed(lines, "../../X"), tmp_path / "file")
    with pytest.raises(StoreError, match="does not belong to its run"), imported(file):
        pass


def put(field: str, value: Any) -> Change:
    return lambda row, content, meta: content.update({field: value})


HOSTILE: list[tuple[str, Change, str]] = [
    ("AdapterTrained", put("path", "../../home/user/.ssh"), "path is '../../home"),
    ("AdapterTrained", put("path", "/etc"), "path is '/etc'"),
    ("AdapterTrained", put("files", {"../../merged.gguf": "a"}), "files is '../../merged"),
    ("AdapterTrained", put("adapter", "../x"), "adapter is '../x'"),
    ("DatasetBuilt", put("adapter", "../../../x"), "adapter is '../../../x'"),
    ("DatasetBuilt", put("adapter", "x\x1b[31m"), "adapter is"),
    ("AttemptStarted", put("adapter", ".."), "adapter is '..'"),
    ("ToolCalled", put("written", [{"path": "../x", "bytes": 1, "sha256": "", "text": "x"}]), "written.path is '../x'"),
    ("ToolCalled", put("deleted", ["/etc/passwd"]), "deleted is '/etc/passwd'"),
    ("RewardAssigned", put("total", "much"), "does not fit the catalogue"),
    ("RewardAssigned", put("more", 1), "does not fit the catalogue"),
    ("IterationStarted", put("version", 99), "topic does not match"),
    ("IterationStarted", put("iteration", 0), "does not fit the catalogue"),
    ("IterationStarted", put("type", "TaskRequested"), "topic does not match"),
    ("IterationStarted", lambda row, content, meta: row.update(topic="Unheard@1"), "topic does not match"),
    ("IterationStarted", lambda row, content, meta: meta.update(time="noon"), "its time is 'noon'"),
    ("IterationStarted", lambda row, content, meta: meta.update(time=1e300), "its time is 1e"),
    ("IterationStarted", lambda row, content, meta: meta.update(host=None), "its meta"),
    ("IterationStarted", lambda row, content, meta: meta.update(handler=[]), "its meta"),
    ("IterationStarted", lambda row, content, meta: meta.update(measured={"x": [1]}), "measured.x"),
    ("IterationStarted", lambda row, content, meta: meta.update(cause="nobody"), "agent0es would not write"),
    ("IterationStarted", lambda row, content, meta: meta.pop("host"), "agent0es would not write"),
    ("IterationStarted", lambda row, content, meta: row.update(stream="run/r/" + "x" * 400), "not a stream name"),
    ("IterationStarted", lambda row, content, meta: row.update(stream="run/r/\x1b[2J"), "not a stream name"),
    ("IterationStarted", lambda row, content, meta: row.update(stream="run/other"), "does not belong to its run"),
    ("RunStarted", put("configuration", {"x": float("nan")}), "agent0es would not write"),
    ("RunStarted", put("configuration", {"x": "\ud83d"}), "damaged"),
    ("RunStarted", put("configuration", json.loads("[" * 900 + "]" * 900)), "recursion limit|nested|catalogue"),
    ("IterationStarted", lambda row, content, meta: row.update(seq="2"), "seq is of the wrong type"),
    ("IterationStarted", lambda row, content, meta: row.update(seq=2**70), "seq is of the wrong type"),
    ("IterationStarted", lambda row, content, meta: row.update(seq=True), "seq is of the wrong type"),
    ("IterationStarted", lambda row, content, meta: row.update(seq=2.0), "seq is of the wrong type"),
    ("IterationStarted", lambda row, content, meta: row.update(version=-1), "version is of the wrong type"),
    ("IterationStarted", lambda row, content, meta: row.update(stream=7), "stream is of the wrong type"),
    ("IterationStarted", lambda row, content, meta: row.update(run=["r"]), "run is of the wrong type"),
    ("IterationStarted", lambda row, content, meta: row.update(state=None, keep=1), "damaged"),
    ("IterationStarted", lambda row, content, meta: row.update(state="{}", keep=1), "is not in the form"),
    ("IterationStarted", lambda row, content, meta: row.update(event_id=None), "event_id and run"),
]


@pytest.mark.parametrize(("kind", "change", "message"), HOSTILE)
def test_what_is_hostile_is_refused(lines: list[Line], kind: str, change: Change, message: str, tmp_path: Path) -> None:
    file = forged(changed(lines, kind, change), tmp_path / "file")
    with pytest.raises(StoreError, match=message) as refused, imported(file):
        pass
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 700


VALUES: list[Any] = [
    None, True, -1, 0, 2**31, 2**63, 2**200, 1e308, float("nan"), float("-inf"), "", "x", "../../x", "/", "\0",
    "\ud800", "\x1b[2J", "a" * 300, [], [[]], ["../x"], {}, {"$text": "0" * 64}, {"$text": 1}, {"": None},
]  # fmt: skip


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) in a value of JSON."""
    for key, item in list(value.items() if isinstance(value, dict) else enumerate(value)):
        yield value, key
        if isinstance(item, dict | list) and item:
            yield from places(item)


def mutated(lines: list[Line], chance: random.Random) -> list[Line]:
    """One or two places changed, anywhere in what the file says."""
    copy: list[Line] = json.loads(json.dumps(lines))
    for line in chance.sample(copy[:-1], chance.choice((1, 1, 2))):
        row = next(iter(line.values()))
        where, inside = row, None
        if isinstance(row, dict) and isinstance(row.get("state"), str) and chance.random() < 0.7:
            parts = split_state(row["state"].encode("utf-8", "surrogatepass"))
            inside = [json.loads(parts.content), json.loads(parts.meta)]
            where = chance.choice(inside)
        container, key = chance.choice(list(places(where if isinstance(where, dict) else line)))
        match chance.randrange(4):
            case 0 if isinstance(container, dict):
                del container[key]
            case 1 if isinstance(container, dict):
                container[chance.choice(("more", "../x", "$text"))] = chance.choice(VALUES)
            case _:
                container[key] = chance.choice(VALUES)
        if inside is not None:
            row["state"] = state_of(*inside)
            if line["event"].get("topic", "").partition("@")[0] == inside[0].get("type"):
                line["event"].update(event_id=inside[1].get("event_id"))
    return copy


def test_no_mutated_export_does_harm(lines: list[Line], tmp_path: Path) -> None:
    chance = random.Random(20261128)
    outcomes = {"imported": 0, "refused": 0}
    for _ in range(MUTATIONS):
        file = forged(mutated(lines, chance), tmp_path / "export")
        try:
            with imported(file) as log:
                assert log.verify().ok
                for recorded in log.read():
                    assert recorded.run == log.runs()[0]
                if outcomes["imported"] < 5:
                    with Projections.open(log) as tables:
                        assert tables.catch_up() == log.head()
            outcomes["imported"] += 1
        except StoreError as error:
            assert "\n" not in str(error), error
            outcomes["refused"] += 1
        assert [path.name for path in tmp_path.iterdir()] == ["export"]
    assert outcomes["refused"] > 150
    assert outcomes["imported"] > 10
