"""Who answers the held-out problems, what the log knows of the answers, and what they come to.

An arm is one way of answering. Every answer is an attempt named `eval/<arm>/<problem>` in the log, so an arm is
asked once a run, and an evaluation that was cut off resumes where it stopped.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile

from agent0es.agents.student import ACTION_LEAD, CALL_LEAD
from agent0es.configuration import Configuration, StudentSettings, parse_configuration
from agent0es.domain import events as ev
from agent0es.domain.names import Examination, Examined, read_attempt
from agent0es.domain.run import RunState
from agent0es.domain.seeds import derive_seed
from agent0es.evaluation import statistics
from agent0es.evaluation.suite import SPLITS, HeldOut, Split, families_of
from agent0es.log import History, Segment
from agent0es.taskdomains.base import Demonstration, TaskDomain

OWN_DEMONSTRATIONS = 4
"""Of the problem's own family, as in practice."""


@dataclass(frozen=True, slots=True)
class Arm:
    """One way of answering."""

    name: str
    adapter: str | None
    prompt: str
    """zero-shot, mixed (worked examples of other families) or own (of the problem's own family)."""
    splits: tuple[Split, ...] = SPLITS
    lead: str = ""
    """Words put into the student's mouth."""


BASE_ARMS = (
    Arm("base-zero-shot", None, "zero-shot"),
    Arm("base-few-shot", None, "mixed", ("held_out",)),
    Arm("base-few-shot-led", None, "mixed", ("held_out",), CALL_LEAD),
    Arm("base-own-shots", None, "own", ("practised",), ACTION_LEAD),
)
"""The baselines, each on the split where it is the best that was found (docs/log.md): worked examples of the family
itself where that is practised, of other families where such examples would be practice."""


def splits_of(arm: str) -> tuple[Split, ...]:
    """On which splits an arm answers."""
    return next((base.splits for base in BASE_ARMS if base.name == arm), SPLITS)


def adapter_arms(state: RunState, trained: ev.AdapterTrained) -> list[str]:
    """The adapters that are compared: the one in use, the one to beat if that is another, and the new one."""
    role = trained.role
    return [name for name in dict.fromkeys((state.serving[role], state.rival(role), trained.adapter)) if name]


def arms_of(adapters: Sequence[str], student: StudentSettings) -> list[Arm]:
    """Who answers when a student's adapter is evaluated: the baselines and the adapters.

    Nothing is put into the mouth of a student in a chat, so there the arm that is led says what another one says.
    """
    led = student.observations == "continued"
    base = [arm for arm in BASE_ARMS if led or arm.lead != CALL_LEAD]
    return [*base, *(Arm(name, name, "zero-shot") for name in adapters)]


def demonstrations(arm: Arm, family: str, domain: TaskDomain, mixed: int, seed: int) -> tuple[Demonstration, ...]:
    """The worked examples that an arm is shown before a problem of a family: `mixed` of other families, or its own."""
    if arm.prompt == "mixed":
        return tuple(domain.mixed_demonstrations(mixed))
    if arm.prompt == "own":
        rng = random.Random(derive_seed(seed, "demonstrations", family))
        return tuple(domain.demonstrations(family, OWN_DEMONSTRATIONS, rng))
    return ()


def when_refused(arm: Arm, mixed: int, run: str, position: int) -> str:
    """What to do when a model refuses what an arm is asked, which may be too long for it, or refused for another reason
    that the model told; `position` is where the evaluation began."""
    fork = f"agent0es fork {run} --at {position} --set"
    ways = [
        "start its server with a longer context and resume the run",
        f"go on with a longer one: {fork} models.student.options=…",
    ]
    if arm.prompt == "mixed" and mixed > 1:
        ways.append(f"with fewer worked examples: {fork} evaluation.demonstrations={mixed // 2}")
    return f"{arm.name} was asked; if that was more than the model can read, {', or '.join(ways)}"


def comparable(history: History, configuration: Configuration) -> History:
    """The later part of a history in which the held-out problems and the way of answering them are today's.

    A fork with another seed, other tools or another evaluation asks every arm again.
    """

    def examination(settings: Configuration) -> object:
        practised = settings.curriculum.domains, settings.curriculum.families
        of_the_gate = {"margin", "significance", "refuse_leaks"}  # which asks nothing
        asked = settings.evaluation.model_dump(exclude=of_the_gate)
        return settings.seed, asked, settings.tools, practised, settings.models

    def same(segment: Segment) -> bool:
        settings = parse_configuration(History(history.log, (segment,)).started.configuration, f"run {segment.run}")
        return examination(settings) == examination(configuration)

    latest = list(takewhile(same, reversed(history.segments)))
    return History(history.log, tuple(reversed(latest)))


def known_outcomes(asked: History, kind: Examination, until: int | None = None) -> dict[str, dict[int, bool]]:
    """Arm to problem to whether it was solved, as far as the log knows, of attempts named `<kind>/<arm>/<problem>`."""
    known: dict[str, dict[int, bool]] = {}
    for recorded in asked.read(types=["Verified"], until=until):
        event = recorded.event
        name = read_attempt(event.attempt) if isinstance(event, ev.Verified) else None
        if isinstance(event, ev.Verified) and isinstance(name, Examined) and name.kind == kind:
            known.setdefault(name.arm, {})[name.problem] = event.verification.correct is True
    return known


def by_split(
    problems: Sequence[HeldOut],
    arms: Sequence[Arm],
    outcomes: Mapping[str, Mapping[int, bool]],
    *,
    apart: bool = True,
) -> tuple[dict[Split, dict[int, str]], dict[Split, dict[str, Mapping[int, bool]]]]:
    """For each split its problems (number to family), and the outcomes of the arms that were asked them. `apart` as in
    `families_of`."""
    asked = {split: {arm.name: outcomes[arm.name] for arm in arms if split in arm.splits} for split in SPLITS}
    return {split: families_of(problems, split, apart=apart) for split in SPLITS}, asked


def evaluated(
    trained: ev.AdapterTrained,
    problems: Mapping[Split, Mapping[int, str]],
    outcomes: Mapping[Split, Mapping[str, Mapping[int, bool]]],
    seed: int,
) -> ev.AdapterEvaluated:
    """Scores of all arms on each split, and the trained adapter against each other arm."""
    scores, comparisons = [], []
    for split, arms in outcomes.items():
        scores += [statistics.score(arm, split, problems[split], solved) for arm, solved in arms.items()]
        mine = (trained.adapter, arms[trained.adapter])
        comparisons += [
            statistics.compare(split, problems[split], (arm, solved), mine, seed)
            for arm, solved in arms.items()
            if arm != trained.adapter
        ]
    return ev.AdapterEvaluated(
        adapter=trained.adapter,
        role=trained.role,
        iteration=trained.iteration,
        scores=tuple(scores),
        comparisons=tuple(comparisons),
    )
