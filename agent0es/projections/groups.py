"""Groups for policy gradient: whole groups of what an agent sampled, token by token, with what it was rewarded.

A student's group is its attempts at a task. A teacher makes one proposal to a request, so its group is all that it
proposed in a domain in an iteration, what was refused included. Only what the latest adapter sampled is learnt, as that
is what training goes on from; words of an older one are another policy's. One that was rolled back does not count.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from agent0es.domain import events as ev
from agent0es.domain.names import Draft
from agent0es.domain.retraction import any_covered, covers
from agent0es.domain.seeds import derive_seed
from agent0es.domain.task import Task
from agent0es.domain.uncertainty import majority_share

Reward = Literal["correct", "total"]
"""As `training.reward`."""


@dataclass(slots=True)
class Trial:
    """An attempt, or a proposal."""

    source: str
    """Its name, or the number of the task that it became."""
    group: str
    family: str
    calls: list[ev.ModelCalled] = field(default_factory=list)
    reward: float | None = None
    """None while nobody knows, and where nobody could judge."""
    answer: str | None = None
    """Its normal form."""
    task: Task | None = None
    """What an attempt is at."""
    lucky: bool = False
    """Whether it was right, and a second instance showed that by luck."""
    doubtful: bool = False
    """Whether what it is judged by may be wrong."""

    @property
    def sources(self) -> tuple[str, ...]:
        """Where it comes from."""
        return (self.source,)

    @property
    def thought(self) -> bool:
        """Whether the model thought before one of its turns, where that can be told apart."""
        return any(called.thinking and called.thinking.strip() for called in self.calls)

    @property
    def adapter(self) -> str | None:
        """Who sampled it."""
        return self.calls[-1].adapter

    @property
    def sampled(self) -> list[ev.ModelCalled]:
        """The calls in which tokens were drawn, and were recorded with their log-probabilities."""
        return [called for called in self.calls if _was_sampled(called)]


@dataclass(frozen=True, slots=True)
class Groups:
    """The groups to learn from."""

    trials: tuple[Trial, ...]
    """A group's are one behind the other."""
    agreement: dict[str, float]
    """Group to p̂, the share of its most frequent answer; 1 for a teacher's, whose proposals have none."""
    start: str | None
    """The adapter that sampled them; None is the base model."""
    left_out: dict[str, int]
    """Why others are not among them, to how many, as DatasetBuilt names them."""


def student_trials(events: Sequence[ev.Event], reward: Reward, doubtful: Collection[int] = frozenset()) -> list[Trial]:
    """Every attempt of practice that was judged and rewarded, in log order. One that was right by luck, as a second
    instance showed, was not right. `doubtful`: tasks whose label may be wrong."""
    tasks: dict[int, Task] = {}
    calls: dict[str, list[ev.ModelCalled]] = defaultdict(list)
    verdicts: dict[str, ev.Verified] = {}
    found: dict[str, Trial] = {}
    for event in events:
        match event:
            case ev.TaskProposed():
                tasks[event.task] = event.proposal
            case ev.ModelCalled(role="student", attempt=str() as name, task=int(), question=None):
                calls[name].append(event)
            case ev.Verified(task=int()):
                verdicts[event.attempt] = event
            case ev.RewardAssigned(role="student", attempt=str() as name) if calls[name]:
                verdict, task = verdicts[name], tasks[event.task]
                right = verdict.verification.correct
                lucky = right is True and verdict.second_instance is False
                correct = None if right is None else float(right and not lucky)
                found[name] = Trial(  # of a task in which a run was forked the fork's own reward counts
                    source=name,
                    group=str(event.task),
                    family=task.family,
                    calls=calls[name],
                    reward=event.total if reward == "total" and right is not None else correct,
                    answer=verdict.majority_key,
                    task=task,
                    lucky=lucky,
                    doubtful=event.task in doubtful,
                )
            case _:
                pass
    return list(found.values())


def teacher_trials(events: Sequence[ev.Event]) -> list[Trial]:
    """Every proposal in log order: what the task was rewarded, and 0 for one that was refused."""
    requests: dict[int, ev.TaskRequested] = {}
    asked: dict[int, ev.ModelCalled] = {}
    refused: Counter[int] = Counter()
    proposed: dict[int, Trial] = {}
    found: list[Trial] = []

    def trial(task: int, source: str, family: str) -> Trial:
        request = requests[task]
        return Trial(source, f"{request.iteration}/{request.domain}", family, [asked[task]])

    for event in events:
        match event:
            case ev.TaskRequested():
                requests[event.task] = event
            case ev.ModelCalled(role="teacher", task=int() as number):
                asked[number] = event
            case ev.ProposalRejected():
                source = str(Draft(event.task, refused[event.task]))
                refused[event.task] += 1
                found.append(trial(event.task, source, next(iter(requests[event.task].families))))
                found[-1].reward = 0.0
            case ev.TaskProposed():
                proposed[event.task] = trial(event.task, str(event.task), event.proposal.family)
                found.append(proposed[event.task])
            case ev.RewardAssigned(role="teacher"):
                proposed[event.task].reward = event.total
            case _:
                pass
    return found


def choose_groups(role: ev.Role, events: Sequence[ev.Event], trials: Sequence[Trial], cap: int, seed: int) -> Groups:
    """The groups to learn from: of the latest adapter, without what was retracted, and those in which not all were
    rewarded alike.

    Of each family whole groups are taken, in an order drawn from the seed, until there are `cap` attempts. A teacher's
    group is of many families: of each of them `cap` proposals at most are in it.
    """
    left_out: Counter[str] = Counter()
    retracted = [event.what for event in events if isinstance(event, ev.Retracted)]
    fallen = rolled_back(events)
    start = latest(trials, fallen)

    def without(reason: str, found: Sequence[Trial], bad: Iterable[Trial]) -> list[Trial]:
        out = {id(trial) for trial in bad}
        left_out[reason] += len(out)
        return [trial for trial in found if id(trial) not in out]

    kept = [trial for trial in trials if not any(covers(what, trial.source) for what in retracted)]
    if start is not None and start in tainted(events, retracted):
        kept = without("tainted", kept, kept)
    kept = without("rolled_back", kept, (trial for trial in kept if trial.adapter in fallen))
    kept = without("stale", kept, (trial for trial in kept if trial.adapter != start))
    kept = without("doubtful", kept, (trial for trial in kept if trial.doubtful))
    kept = without("undecided", kept, (trial for trial in kept if trial.reward is None))
    agreement = {
        group: majority_share([trial.answer for trial in of_it]) if role == "student" else 1.0
        for group, of_it in _by_group(kept).items()
    }
    kept = without("unsampled", kept, (trial for trial in kept if not trial.sampled))
    if role == "teacher":
        kept = without("cap", kept, _beyond(kept, cap, seed))
    alike = [trial for of_it in _by_group(kept).values() if len({one.reward for one in of_it}) == 1 for trial in of_it]
    kept = without("alike", kept, alike)
    groups = _by_group(kept)
    if role == "student":
        taken: Counter[str] = Counter()
        for group in sorted(groups, key=lambda name: (derive_seed(seed, "group", name), name)):
            family = groups[group][0].family
            if taken[family] >= cap:
                left_out["cap"] += len(groups.pop(group))
            else:
                taken[family] += len(groups[group])
    chosen = [trial for of_it in groups.values() for trial in of_it]
    counts = {reason: count for reason, count in sorted(left_out.items()) if count}
    return Groups(tuple(chosen), {group: agreement[group] for group in groups}, start, counts)


def rolled_back(events: Iterable[ev.Event]) -> frozenset[str]:
    """The adapters that the guard took out of use."""
    return frozenset(event.adapter for event in events if isinstance(event, ev.AdapterRolledBack))


def latest(trials: Sequence[Trial], fallen: Collection[str]) -> str | None:
    """Who sampled last, of those that have not fallen; None is the base model."""
    return next((trial.adapter for trial in reversed(trials) if trial.adapter not in fallen), None)


def goes_on_from(events: Sequence[ev.Event], trials: Sequence[Trial]) -> str | None:
    """The adapter that sampled last, of those that were not rolled back, unless that learnt from what was retracted."""
    start = latest(trials, rolled_back(events))
    retracted = [event.what for event in events if isinstance(event, ev.Retracted)]
    return None if start in tainted(events, retracted) else start


def tainted(events: Iterable[ev.Event], retracted: Sequence[str]) -> frozenset[str]:
    """The adapters that learnt from what was retracted, or go on from one that did."""
    found: set[str] = set()
    for event in events:
        if isinstance(event, ev.DatasetBuilt) and (
            event.start in found or any(any_covered(what, event.sources) for what in retracted)
        ):
            found.add(event.adapter)
    return frozenset(found)


def group_rows(groups: Groups) -> bytes:
    """The groups as the trainer reads them, an attempt a line: each call's prompt as it was read, in messages, and what
    was written as the tokens that were drawn."""
    lines = (json.dumps(_row(trial, groups.agreement[trial.group]), ensure_ascii=False) for trial in groups.trials)
    return "".join(f"{line}\n" for line in lines).encode()


def _row(trial: Trial, agreement: float) -> dict[str, Any]:
    calls = []
    for called in trial.sampled:
        assert called.tokens is not None, "it was sampled"
        calls.append(
            {
                "messages": [message._asdict() for message in called.prompt.messages],
                "prefill": called.prompt.begun,
                "read": called.prompt_tokens,
                "ids": called.tokens.ids,
                "logprobs": called.tokens.logprobs,
            }
        )
    return {
        "attempt": trial.source,
        "group": trial.group,
        "reward": trial.reward,
        "agreement": round(agreement, 6),
        "calls": calls,
    }


def _by_group(trials: Iterable[Trial]) -> dict[str, list[Trial]]:
    found: dict[str, list[Trial]] = {}
    for trial in trials:
        found.setdefault(trial.group, []).append(trial)
    return found


def _beyond(trials: Iterable[Trial], cap: int, seed: int) -> list[Trial]:
    """What is more than `cap` of a group and a family."""
    cells: dict[tuple[str, str], list[Trial]] = defaultdict(list)
    for trial in sorted(trials, key=lambda one: (derive_seed(seed, "group", one.source), one.source)):
        cells[trial.group, trial.family].append(trial)
    return [trial for cell in cells.values() for trial in cell[cap:]]


def _was_sampled(called: ev.ModelCalled) -> bool:
    """Whether its tokens were drawn by the model from what the log says that it read."""
    tokens = called.tokens
    if called.temperature <= 0 or tokens is None or not tokens.ids or tokens.logprobs is None:
        return False
    return len(tokens.ids) == len(tokens.logprobs) and not {"temperature", "prefill"} & {*called.left_out}
