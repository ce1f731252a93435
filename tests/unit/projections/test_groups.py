"""What policy gradient learns from: whole groups of what the latest adapter sampled."""

import json
from typing import Any

import pytest

from agent0es.domain import events as ev
from agent0es.domain.prompt import Part, Prompt, Tokens
from agent0es.domain.task import Task, Verification
from agent0es.projections.datasets import Dataset
from agent0es.projections.examples import Example
from agent0es.projections.groups import Groups, choose_groups, group_rows, student_trials, teacher_trials
from agent0es.projections.pairs import choose_pairs

PROMPT = Prompt(
    opening=(Part(role="system", text="s"),),
    turns=(Part(role="user", text="q"),),
    prefill=(Part(text="Thought: ", author="model"),),
)


def called(attempt: str | None, task: int = 1, **changes: Any) -> ev.ModelCalled:
    given: dict[str, Any] = {
        "role": "student" if attempt else "teacher",
        "task": task,
        "attempt": attempt,
        "model": "m",
        "adapter": None,
        "prompt": PROMPT,
        "text": "x",
        "tokens": Tokens(ids=(5, 6), logprobs=(-0.5, -1.0)),
        "prompt_tokens": 9,
        "completion_tokens": 2,
        "finish_reason": "stop",
        "temperature": 0.6,
        "seed": 1,
        "mean_logprob": -0.75,
    }
    return ev.ModelCalled.model_validate({**given, **changes})


def task(number: int, family: str = "gcd", iteration: int = 1) -> list[ev.Event]:
    proposal = Task(
        domain="math",
        family=family,
        description=f"d{number}",
        difficulty=0.5,
        parameters={"n": number},
        wording=0,
        reference="1",
        reference_action="python[1]",
    )
    asked = {"task": number, "iteration": iteration, "seed": number}
    return [
        ev.TaskRequested(**asked, domain="math", source="families", families={family: 0.5}, novelty_bar=0.0),
        called(None, number),
        ev.TaskProposed(**asked, proposal=proposal, novelty=1.0, nearest=None, attempts=2, demonstrations=0),
    ]


def judged(
    attempt: str, right: bool | None, *, lucky: bool = False, total: float = 0.3, key: str = "1"
) -> list[ev.Event]:
    number = int(attempt.partition("/")[0])
    verdict = Verification(correct=right, method="exact", score=float(bool(right)), confidence=1.0, explanation="")
    return [
        ev.Verified(
            attempt=attempt,
            task=number,
            verification=verdict,
            second_instance=False if lucky else None,
            majority_key=key,
        ),
        ev.RewardAssigned(role="student", task=number, attempt=attempt, components={}, total=total),
    ]


def attempted(attempt: str, right: bool | None, adapter: str | None = None, **more: Any) -> list[ev.Event]:
    return [called(attempt, int(attempt.partition("/")[0]), adapter=adapter), *judged(attempt, right, **more)]


def groups(*events: ev.Event, cap: int = 100, reward: Any = "correct") -> Groups:
    return choose_groups("student", events, student_trials(events, reward), cap, seed=0)


def sources(found: Groups) -> list[str]:
    return [trial.source for trial in found.trials]


MIXED = [*task(1), *attempted("1/0", True), *attempted("1/1", False, key="2")]


def test_a_group_is_all_attempts_at_a_task() -> None:
    found = groups(*MIXED)
    assert sources(found) == ["1/0", "1/1"]
    assert [trial.reward for trial in found.trials] == [1.0, 0.0]
    assert found.agreement == {"1": 0.5} and found.start is None and not found.left_out
    first, second = (json.loads(line) for line in group_rows(found).splitlines())
    assert first == {
        "attempt": "1/0",
        "group": "1",
        "reward": 1.0,
        "agreement": 0.5,
        "calls": [
            {
                "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "q"}],
                "prefill": "Thought: ",
                "read": 9,
                "ids": [5, 6],
                "logprobs": [-0.5, -1.0],
            }
        ],
    }
    assert second["attempt"] == "1/1"


@pytest.mark.parametrize(
    ("more", "left_out"),
    [
        ([*task(2), *attempted("2/0", True), *attempted("2/1", True)], {"alike": 2}),
        ([*task(2), *attempted("2/0", True), *attempted("2/1", None)], {"undecided": 1, "alike": 1}),
        ([*task(2), *attempted("2/0", False), *attempted("2/1", True, lucky=True)], {"alike": 2}),
        ([*task(2), called("2/0", 2, temperature=0.0), *judged("2/0", True)], {"unsampled": 1}),
        ([*task(2), called("2/0", 2, tokens=None), *judged("2/0", True)], {"unsampled": 1}),
        ([*task(2), called("2/0", 2, left_out=("prefill",)), *judged("2/0", True)], {"unsampled": 1}),
        ([ev.Retracted(what="1/1", reason="r", actor="a")], {"alike": 1}),
    ],
)
def test_what_teaches_nothing_is_left_out_and_counted(more: list[ev.Event], left_out: dict[str, int]) -> None:
    found = groups(*MIXED, *more)
    assert found.left_out == left_out
    assert sources(found) == ([] if isinstance(more[0], ev.Retracted) else ["1/0", "1/1"])


def test_nothing_is_learnt_where_the_label_is_doubtful() -> None:
    for choose in (
        lambda trials: choose_groups("student", MIXED, trials, 100, seed=0).left_out,
        lambda trials: choose_pairs(MIXED, trials, lambda _: PROMPT, 100, seed=0).left_out,
    ):
        assert choose(student_trials(MIXED, "correct", {1})) == {"doubtful": 2}


def test_only_what_was_sampled_is_learnt_of_an_attempt() -> None:
    report = called("1/0", temperature=0.0)
    reflection = called("1/0", question="confidence")
    found = groups(*task(1), called("1/0"), report, *judged("1/0", True), reflection, *attempted("1/1", False))
    row = json.loads(group_rows(found).splitlines()[0])
    assert len(row["calls"]) == 1


def test_training_goes_on_from_the_adapter_that_sampled_last_and_older_samples_are_another_policys() -> None:
    later = [*task(2), *attempted("2/0", True, "student-1"), *attempted("2/1", False, "student-1")]
    found = groups(*MIXED, *later)
    assert (found.start, sources(found), found.left_out) == ("student-1", ["2/0", "2/1"], {"stale": 2})


def test_nothing_is_gone_on_from_that_learnt_from_what_was_retracted() -> None:
    def built(name: str, start: str | None, *of: str) -> ev.DatasetBuilt:
        return ev.DatasetBuilt(
            adapter=name, role="student", iteration=1, examples=1, sha256="d", per_family={}, sources=of, start=start
        )

    ancestors = [built("student-1", None, "1/0"), built("student-2", "student-1", "7/0")]
    later = [*task(2), *attempted("2/0", True, "student-2"), *attempted("2/1", False, "student-2")]
    assert sources(groups(*MIXED, *ancestors, *later)) == ["2/0", "2/1"]
    bad = ev.Retracted(what="1", reason="r", actor="a")
    assert groups(*MIXED, *ancestors, *later, bad).left_out == {"tainted": 2}


def test_nothing_goes_on_from_what_was_rolled_back() -> None:
    """Whoever sampled last before it is gone on from, though it sampled less lately."""
    fell = ev.AdapterRolledBack(adapter="student-1", role="student", iteration=2, to=None, reason="so")
    later = [*task(2), *attempted("2/0", True, "student-1"), *attempted("2/1", False, "student-1")]
    found = groups(*MIXED, *later, fell)
    assert (found.start, sources(found), found.left_out) == (None, ["1/0", "1/1"], {"rolled_back": 2})
    assert pairs(*MIXED, *later).start == "student-1"
    assert pairs(*MIXED, *later, fell).start is None and len(pairs(*MIXED, *later, fell).examples) == 2
    assert groups(*later, fell).left_out == {"rolled_back": 2}


def test_the_reward_may_be_the_sum_that_the_run_gave() -> None:
    events = [*task(1), *attempted("1/0", True, total=0.9), *attempted("1/1", True, total=0.4)]
    assert not groups(*events).trials
    assert [trial.reward for trial in groups(*events, reward="total").trials] == [0.9, 0.4]


def test_of_a_family_whole_groups_are_taken_until_there_is_enough() -> None:
    events = [
        event
        for number in (1, 2, 3, 4)
        for event in [
            *task(number, "gcd" if number < 4 else "lcm"),
            *attempted(f"{number}/0", True),
            *attempted(f"{number}/1", False),
        ]
    ]
    found = groups(*events, cap=3)
    assert len({trial.group for trial in found.trials}) == 3 and found.left_out == {"cap": 2}
    assert sum(trial.family == "gcd" for trial in found.trials) == 4, "the second group was begun at 2 of 3"


def pairs(*events: ev.Event, cap: int = 100) -> Dataset:
    def prompt(example: Example) -> Prompt:
        return Prompt(turns=(Part(role="user", text=example.request),))

    return choose_pairs(events, student_trials(events, "correct"), prompt, cap, seed=0)


def test_a_pair_is_a_right_and_a_wrong_attempt_at_a_task_with_all_their_words() -> None:
    failed = Prompt(
        turns=(Part(role="user", text="q"),),
        prefill=(Part(text="Action: python[1/0]\n", author="model"), Part(text="Observation: Error\n", author="tool")),
    )
    wrong = [called("1/1", prompt=failed, text="Answer: 0"), *judged("1/1", False)]
    found = pairs(*task(1), *attempted("1/0", True, "student-1"), *wrong, *attempted("1/2", False, "student-1"))
    [pair] = found.examples
    assert pair.sources in (("1/0", "1/1"), ("1/0", "1/2")) and found.left_out == {"alone": 1}
    assert found.start == "student-1", "the last that sampled, though another did before"
    row = json.loads(pairs(*task(1), *attempted("1/0", True), *wrong).jsonl)
    assert row["right"] == {
        "messages": [{"role": "user", "content": "d1"}],
        "segments": [["Thought: ", True], ["x", True]],
    }
    learnt = [["Action: python[1/0]\n", True], ["Observation: Error\n", False], ["Answer: 0", True]]
    assert row["wrong"]["segments"] == learnt, "the call that failed is to be unlearnt too"


@pytest.mark.parametrize(
    ("more", "left_out"),
    [
        (attempted("2/1", True), {"alone": 2}),
        (attempted("2/1", None), {"alone": 1, "undecided": 1}),
        (attempted("2/1", True, lucky=True), {"alone": 1, "lucky": 1}),
        ([called("2/1", 2, thinking="hm"), *judged("2/1", False)], {"alone": 1}),
        ([*attempted("2/1", False), ev.Retracted(what="2", reason="r", actor="a")], {}),
    ],
)
def test_attempts_that_make_no_pair_are_counted(more: list[ev.Event], left_out: dict[str, int]) -> None:
    found = pairs(*task(2), *attempted("2/0", True), *more)
    assert not found.examples and found.left_out == left_out


def test_of_a_family_so_many_pairs_are_taken() -> None:
    events = [e for n in (1, 2, 3) for e in [*task(n), *attempted(f"{n}/0", True), *attempted(f"{n}/1", False)]]
    assert len(pairs(*events, cap=2).examples) == 2 and pairs(*events, cap=2).left_out == {"cap": 2}


def test_a_teachers_group_is_what_it_proposed_in_a_domain_with_what_was_refused() -> None:
    def reward(number: int, total: float) -> ev.Event:
        return ev.RewardAssigned(role="teacher", task=number, attempt=None, components={}, total=total)

    refused = ev.ProposalRejected(task=2, iteration=1, reason="duplicate", detail="", text="", tries_left=1)
    requested, first, proposed = task(2)
    events = [*task(1), requested, called(None, 2), refused, first, proposed, reward(1, 0.6), reward(2, 0.2)]
    log = [*events, *task(3), *task(4, iteration=2), reward(4, 0.5)]
    found = choose_groups("teacher", log, teacher_trials(log), 100, seed=0)
    assert [(trial.source, trial.group, trial.reward) for trial in found.trials] == [
        ("1", "1/math", 0.6),
        ("2/draft-0", "1/math", 0.0),
        ("2", "1/math", 0.2),
    ]
    assert found.left_out == {"undecided": 1, "alike": 1} and set(found.agreement.values()) == {1.0}
