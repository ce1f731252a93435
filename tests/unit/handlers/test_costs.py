"""What an answer cost goes from the backend to the log, the table, the report and the attempt as it is shown."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from agent0es.cli.whole import write_attempt
from agent0es.domain.events import ModelCalled
from agent0es.log import EventLog, History
from agent0es.models.base import Completion, GenerationRequest, Weights
from agent0es.models.scripted import ScriptedBackend
from agent0es.projections import PROJECTIONS_FILE, Projections
from agent0es.projections.reports import ask, saved_queries
from agent0es.provenance.whole import attempt
from agent0es.runs.driving import drive
from agent0es.runs.settings import configuration_of
from tests.support import world

RUN = "r"


class Priced(ScriptedBackend):
    """Each answer of the student costs a quarter of a cent; nobody knows what the teacher's cost."""

    async def generate(self, requests: Sequence[GenerationRequest], adapter: str | None = None) -> list[Completion]:
        [completion] = await super().generate(requests, adapter)
        asked_the_teacher = "Families:" in requests[0].messages[-1].content
        return [completion if asked_the_teacher else replace(completion, cost_usd=0.0025)]


def test_what_an_answer_cost_is_in_the_log_and_wherever_tokens_are_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with EventLog.open(tmp_path / "log.db") as log:
        world.begin(log, RUN, "training.minimum_examples=1000")
        model = Priced(world.respond, weights=Weights("scripted", Path("base.gguf"), "b" * 64))
        asyncio.run(drive(world.ports(tmp_path, log, RUN, configuration_of(log, RUN), model), []))
        calls = list(log.read(run=RUN, types=["ModelCalled"]))
        costs = [one.meta.measured.get("cost_usd") for one in calls]
        roles = [one.event.role for one in calls if isinstance(one.event, ModelCalled)]
        assert [cost is None for cost in costs] == [role == "teacher" for role in roles]
        shown = attempt(History.of(log, RUN), RUN, "1/1")
        write_attempt({**shown, "problem": None}, tmp_path)
        assert ", $0.002500)" in capsys.readouterr().out
        with Projections.open(log, tmp_path / PROJECTIONS_FILE) as tables:
            tables.catch_up()
            [(total, priced)] = tables.query("SELECT sum(cost_usd), count(cost_usd) FROM model_calls").rows
            assert float(total) == pytest.approx(0.0025 * costs.count(0.0025)) and int(priced) == costs.count(0.0025)
            [cost] = [query for query in saved_queries() if query.name == "10_cost"]
            [row] = ask(tables, cost, RUN)
            assert row["usd_a_task"] > 0 and row["generations_with_a_price"] < row["generations"]
