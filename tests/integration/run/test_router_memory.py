"""What the router remembers is a projection of the log: of evaluations and of its own questions."""

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from agent0es.domain import events as ev
from agent0es.domain.prompt import Part, Prompt
from agent0es.domain.task import Verification
from agent0es.errors import StoreError
from agent0es.log import EventLog, NewEvent
from agent0es.models.base import Weights
from agent0es.models.scripted import ScriptedBackend
from agent0es.router.latency import Timed
from agent0es.router.memory import MEMORY_FILE, Judged, Memory, who
from agent0es.runs.answerers import TRAINED_WITH, Candidates, InUseNow, as_trained
from agent0es.runs.routing import posed
from tests.support import world
from tests.support.routing import Counted, asked, router
from tests.support.routing import posed as question


def evaluated(log: EventLog, name: str, adapter: str | None, shots: int, *verdicts: bool | None) -> None:
    """An evaluation by itself, with so many worked examples and these verdicts."""
    way = ev.Way(
        format="tools",
        shots=shots,
        adapter=adapter,
        adapter_run=adapter and "run",
        samples=1,
        temperature=0.0,
        max_tokens=9,
    )
    begun = ev.EvaluationStarted(
        suite="s", way=way, seed=0, configuration={}, code_version="0", weights={}, prompts={}, plugins={}
    )
    log.append([NewEvent(f"evaluation/{name}", begun)], handler="cli")
    for number, correct in enumerate(verdicts):
        attempt = f"eval/tools/{number}"
        prompt = Prompt(turns=(Part(role="user", text="?"),))
        called = ev.ModelCalled(
            role="student",
            task=None,
            attempt=attempt,
            model="small",
            adapter=adapter,
            prompt=prompt,
            text="42",
            prompt_tokens=3,
            completion_tokens=1,
            finish_reason="stop",
            temperature=0.0,
            seed=0,
            mean_logprob=None,
        )
        said = Verification(correct=correct, score=0.0, confidence=1.0, method="exact", explanation="")
        judged = ev.Verified(attempt=attempt, task=None, verification=said, second_instance=None, majority_key=None)
        problem = ev.ProblemAsked(problem=number, source="f", posed=posed(f"question {number}", "math"))
        log.append(
            [
                NewEvent(f"problem/{name}/{number}", problem),
                NewEvent(f"attempt/{name}/{attempt}", called, {"seconds": 2.0, "cost_usd": 0.5}),
                NewEvent(f"attempt/{name}/{attempt}", judged),
            ],
            handler="evaluate",
        )


def test_judged_answers_of_evaluations_count_for_the_model_and_adapter_that_gave_them(tmp_path: Path) -> None:
    with EventLog.open(tmp_path / "log.db") as log:
        memory = Memory(log, tmp_path / MEMORY_FILE, 10)
        evaluated(log, "eval-0", None, 0, False)
        evaluated(log, "eval-1", None, 8, True, False, None)
        first = memory.judged("small", "")
        evaluated(log, "eval-2", "student-1", 0, True)
        asked(router(tmp_path, log, Counted("12 * 34", name="small")), question(reference="408"))
        assert first == [
            Judged("eval/tools/0", "math", "question 0", True, None),
            Judged("eval/tools/1", "math", "question 1", False, None),
        ]
        later = memory.judged("small", "")
        assert [one.correct for one in later] == [True, False, True, True, True]  # three drafts of one question
        assert sum(one.signals is not None for one in later) == 1  # those of the one that would be the answer
        assert [one.question for one in memory.judged(who("small", "student-1", "run"), "")] == ["question 0"]
        assert memory.cost(who("small", "student-1", "run")) == 0.5
        assert memory.timed(who("small", "student-1", "run")) == [Timed("math", len("question 0"), 3, 1, 2.0)]
        anew = Memory(log, tmp_path / "anew.db", 10)
        for of in ("small", who("small", "student-1", "run"), "nobody"):
            assert anew.judged(of, "") == memory.judged(of, "")
            assert (anew.cost(of), anew.timed(of)) == (memory.cost(of), memory.timed(of))
        memory.close()
        anew.close()


def test_the_adapter_in_use_answers_as_its_run_had_it_asked(tmp_path: Path) -> None:
    with EventLog.open(tmp_path / "log.db") as log:
        ours = InUseNow(log, "b" * 64)
        assert ours.look() is None
        world.begin(log, "run", "models.student.max_tokens=77", "execution.tasks_per_iteration=1")
        world.complete(log, "run", tmp_path)
        found = ours.look()
        assert found is not None and (found.run, found.name) == ("run", "student-1")
        assert found == InUseNow(log, "b" * 64).look() == ours.look(), "looking on is the same as looking anew"
        assert InUseNow(log, "c" * 64).look() is None, "it was trained on other weights"
        memory = Memory(log, tmp_path / MEMORY_FILE, 10)
        judged = memory.judged(who("scripted", "student-1", "run"), "")
        memory.close()
        verdicts = [one.event for one in log.read(types=["Verified"]) if isinstance(one.event, ev.Verified)]
        assert len(judged) == sum(one.attempt.startswith("eval/student-1/") for one in verdicts) > 0
        assert all(one.question.endswith((".", "?")) for one in judged)
        local = world.configured().router.local
        told = as_trained(log, found, local)
        assert (told.max_tokens, told.temperature, told.demonstrations) == (77, local.temperature, local.demonstrations)
        assert "max_tokens" in TRAINED_WITH


class Closing(ScriptedBackend):
    """Says when it is closed."""

    closed = False

    async def close(self) -> None:
        self.closed = True


def test_a_new_adapter_answers_from_the_next_question_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Closing] = []

    def model_of(*_: object) -> Closing:
        made.append(Closing(world.respond, weights=Weights("small", tmp_path, "b" * 64)))
        return made[-1]

    monkeypatch.setattr("agent0es.bootstrap.model_of", model_of)
    with EventLog.open(":memory:") as log:
        world.begin(log, "run", "execution.tasks_per_iteration=1")
        candidates = Candidates(tmp_path, log, world.configured())

        async def ask() -> tuple[str | None, list[bool]]:
            with candidates() as of:
                adapter = of["local"].adapter
            await asyncio.sleep(0)  # what is closed is closed beside
            return adapter, [one.closed for one in made]

        assert asyncio.run(ask()) == (None, [False])
        with candidates() as before:
            world.complete(log, "run", tmp_path)
            assert before["local"].adapter is None, "a question ends with the model that it began with"
            assert asyncio.run(ask()) == ("student-1", [False, False])
        assert asyncio.run(ask())[0] == "student-1" and len(made) == 2
        asyncio.run(candidates.close())
        assert [one.closed for one in made] == [True, True]


def kept(log: EventLog, *numbers: int) -> None:
    """Answers in the log, under the keys k0, k1, …"""
    said = ev.RouteAnswered.model_validate(
        {
            "route": "",
            "key": "",
            "answer": "",
            "attempt": "a",
            "cached": None,
            "candidate": "local",
            "model": "small",
            "adapter": None,
            "confidence": 0.9,
            "basis": "prior",
            "sure": 0.9,
            "verdict": None,
            "prompt_tokens": 1,
            "completion_tokens": 1,
            "cost_usd": 0.0,
        }
    )
    names = [(f"route-{number}", f"k{number}") for number in numbers]
    made = [said.model_copy(update={"route": route, "key": key, "answer": key * 100}) for route, key in names]
    log.append([NewEvent(f"route/routes/{one.route}", one) for one in made], handler="router")


def garbled(file: Path) -> None:
    with file.open("r+b") as open_file:
        open_file.seek(2 * 4096)
        open_file.write(b"garbage " * 4096)
    file.with_name(f"{file.name}-wal").write_bytes(b"")


def emptied(file: Path) -> None:
    with sqlite3.connect(file) as other:
        other.execute("DROP TABLE answers")


def gone_and_made_by_another(file: Path) -> None:
    """Only the file itself is deleted, as a user may; what SQLite keeps beside it is left."""
    file.unlink()
    with EventLog.open(file.with_name("log.db"), read_only=True) as log:
        other = Memory(log, file, 1000)
        assert other.answer("k1") is not None
        other.close()


@pytest.mark.parametrize("damage", [garbled, emptied, gone_and_made_by_another])
def test_a_file_that_is_damaged_while_it_is_open_is_made_again(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    file = tmp_path / MEMORY_FILE
    with EventLog.open(tmp_path / "log.db") as log:
        kept(log, *range(300))
        memory = Memory(log, file, 1000)
        assert memory.answer("k1") is not None
        damage(file)
        kept(log, 300)
        for key in ("k0", "k299", "k300"):
            found = memory.answer(key)
            assert found is not None and found.answer == key * 100
        assert memory.answer("k301") is None
        memory.close()


def test_a_file_that_cannot_be_made_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / MEMORY_FILE).mkdir()
    with EventLog.open(tmp_path / "log.db") as log:
        memory = Memory(log, tmp_path / MEMORY_FILE, 10)
        with pytest.raises(StoreError, match=r"router\.db can't be used \(.*directory.*\); it may be deleted"):
            memory.answer("k1")
