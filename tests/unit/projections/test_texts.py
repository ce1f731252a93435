"""The table `texts`: what a prompt's hashes stand for, copied only for those who ask for it."""

import random
from pathlib import Path

import pytest

from agent0es.domain import events as ev
from agent0es.domain.prompt import Part
from agent0es.errors import QueryError
from agent0es.log import EventLog, NewEvent
from agent0es.projections import Projections
from tests.unit.projections.history import history

PROMPTS = """
SELECT position, string_agg(said, '' ORDER BY place) AS prompt
FROM (
    SELECT c.position, turn.key AS place, coalesce(t.text, turn.value ->> '$[0]') AS said
    FROM model_calls AS c, json_each(c.prompt -> '$.turns') AS turn
    LEFT JOIN texts AS t ON t.sha256 = turn.value ->> '$[0]."$text"'
)
GROUP BY position
"""
"""As docs/commands.md has it."""


def prompts(log: EventLog) -> dict[int, str]:
    return {
        r.position: "".join(turn.text for turn in r.event.prompt.turns)
        for r in log.read(types=["ModelCalled"])
        if isinstance(r.event, ev.ModelCalled)
    }


def said(*texts: str) -> dict[str, tuple[Part, ...]]:
    return {"turns": tuple(Part(role="user", text=text) for text in (*texts, "$x\n"))}


def with_long_prompts(seed: int, run: str) -> list[NewEvent]:
    long = f"You solve problems of seed {seed}, with a tool, and say so. ü\n" * 20
    return [
        NewEvent(new.stream, new.event.model_copy(update={"prompt": new.event.prompt.model_copy(update=said(long))}))
        if isinstance(new.event, ev.ModelCalled)
        else new
        for new in history(random.Random(seed), run, iterations=1)
    ]


def test_every_turn_can_be_read_in_sql(tmp_path: Path) -> None:
    with EventLog.open(tmp_path / "log.db") as log:
        log.append(with_long_prompts(1, "r1"), handler="test")
        for seed in (2, 3):
            with Projections.open(log, tmp_path / "tables.duckdb") as tables:
                tables.catch_up()
                assert dict(tables.query(PROMPTS).rows) == prompts(log)
                assert len(list(tables.query("FROM model_calls").rows)) > 10
            log.append(with_long_prompts(seed, f"r{seed}"), handler="test")  # and the next time those too
        with Projections.open(log, tmp_path / "tables.duckdb") as tables:
            for seed in (4, 5, 6):
                tables.catch_up()
                log.append(with_long_prompts(seed, f"r{seed}"), handler="test")
            tables.catch_up()
            assert not tables.kept, "it follows the log in a copy"
            assert dict(tables.query(PROMPTS).rows) == prompts(log)


def test_texts_are_copied_once_and_only_when_they_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    with EventLog.open(tmp_path / "log.db") as log:
        log.append(with_long_prompts(1, "r"), handler="test")
        texts = log.texts
        monkeypatch.setattr(log, "texts", lambda names: asked.append(len(names)) or texts(names))
        for kept in range(2):
            with Projections.open(log, tmp_path / "tables.duckdb") as tables:
                tables.catch_up()
                list(tables.query("FROM events").rows)
                assert len(asked) == kept, "the file keeps what was copied"
                for query in ('SELECT count(*) FROM "TEXTS"', "SELECT count(*) FROM main.texts"):
                    [(count,)] = tables.query(query).rows
                    assert count == asked[0]
                assert tables.arrow("FROM texts").read_all().num_rows == asked[0]
                with pytest.raises(QueryError, match="not a query"):
                    tables.query("DELETE FROM texts")
        assert len(asked) == 1
