"""What the families share: stories of several stages, the data they start with, and what is calculated in the end."""

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from agent0es.domain.task import Scalar, Task
from agent0es.taskdomains.base import Demonstration, Family, Int, Split
from agent0es.taskdomains.long_horizon.derivation import derive
from agent0es.taskdomains.long_horizon.reference import Format, Milestone, Reference

PARAMETERS = {
    "calculations": Int((1, 1), (2, 3)),
    "lines": Int((3, 5), (8, 16)),
    "variant": Int((0, 999), (0, 9999)),
}
"""What is calculated from the last file, how long the data is, and which of many stories it is."""

WORDINGS = (
    "The file {about}. Leave it as it is. {stages}",
    "In the working directory, the file {about}. Do this in stages, and don't change what is there. {stages}",
)

NAMES = tuple(
    "anna ben carla david emma felix gina hugo ida jonas karin leo maria nils olga paul rita sven tina uwe".split()
)
CITIES = ("lima", "oslo", "rome", "cairo", "paris")
WORDS = tuple(
    "apple bread chair door eagle fish glass house ink juice kite lamp moon nest ocean plate queen river stone table "
    "umbrella violin water yard zebra boat candle desk engine forest".split()
)


class Written(NamedTuple):
    """A file that a stage writes."""

    path: str
    text: str
    """What it should hold."""
    format: Format
    code: str
    """One line of Python that writes it; its value is the number of characters."""


@dataclass(frozen=True, slots=True)
class Story:
    """A task of several stages."""

    about: str
    """What the data is, after `The file`."""
    stages: Sequence[str]
    """A sentence for each file, and one for the answer."""
    files: Mapping[str, str]
    """The data."""
    written: Sequence[Written]
    """What the stages write, in their order."""
    derivation: tuple[str, ...]
    """How the answer follows from the last file."""
    code: str
    """One line of Python whose value is the answer."""
    between: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """File to how it follows from the file before it, where a derivation says so."""


Make = Callable[[random.Random, int, int], Story]
"""A story from a source of randomness, the number of calculations, and the number of lines."""


@dataclass(frozen=True, slots=True)
class StagedFamily(Family):
    """A family of stories; its reference is a `Reference` as JSON."""

    steps_of: Callable[..., Sequence[tuple[str, str]]] | None = None
    """The calls of a worked example from the parameters: (action, observation)."""

    def moved(self, task: Task, code: str, rng: random.Random) -> tuple[Task, str] | None:
        """None: a single call is not the work of an attempt here, and luck would have to write the right files too."""
        return None

    def demonstrations(self, count: int, rng: random.Random) -> list[Demonstration]:
        """Worked examples from easy to middling difficulty: a call a stage, then what the last one showed."""
        assert self.steps_of is not None
        made = []
        for i in range(count):
            difficulty = 0.5 * i / max(1, count - 1)
            task = self.task(self.sample(rng, difficulty), i % len(self.wordings), difficulty)
            *steps, (action, observation) = self.steps_of(**task.parameters)
            made.append(Demonstration(task.description, action, observation, observation, tuple(steps)))
        return made


def staged(name: str, group: str, split: Split, make: Make) -> StagedFamily:
    """A family from a function that makes its stories."""

    def story(parameters: Mapping[str, Scalar]) -> Story:
        calculations, lines, variant = (int(parameters[key]) for key in ("calculations", "lines", "variant"))
        return make(random.Random(f"{name}/{calculations}/{lines}/{variant}"), calculations, lines)

    def flaw(**parameters: Scalar) -> str | None:
        told = story(parameters)
        return "a file of a stage would be empty" if any(not one.text.strip() for one in told.written) else None

    def facts(**parameters: Scalar) -> dict[str, str]:
        told = story(parameters)
        return {"about": told.about, "stages": " ".join(told.stages)}

    return StagedFamily(
        name=name,
        group=group,
        split=split,
        parameters=PARAMETERS,
        wordings=WORDINGS,
        reference_action="",
        answer_of=lambda **parameters: reference_of(story(parameters)).model_dump_json(),
        constraint=flaw,
        domain="long_horizon",
        facts_of=facts,
        files_of=lambda **parameters: dict(story(parameters).files),
        steps_of=lambda **parameters: steps_of(story(parameters)),
    )


def answer_of(story: Story) -> str:
    """The right answer."""
    found = derive(story.written[-1].text, story.derivation, story.files)
    assert found is not None, "the families' own files can be read"
    return found


def reference_of(story: Story) -> Reference:
    """The milestones: each file, the answer, what follows from what, the data unchanged."""
    last = story.written[-1].path
    milestones = [
        Milestone(name=one.path, kind="file", path=one.path, format=one.format, expect=one.text)
        for one in story.written
    ]
    for before, one in zip(story.written, story.written[1:], strict=False):
        if one.path in story.between:
            name, rule = f"{one.path} follows from {before.path}", story.between[one.path]
            milestones.append(
                Milestone(
                    name=name, kind="follows", path=before.path, derivation=rule, into=one.path, format=one.format
                )
            )
    milestones += [
        Milestone(name="answer", kind="answer", expect=answer_of(story)),
        Milestone(name=f"answer follows from {last}", kind="follows", path=last, derivation=story.derivation),
        *(Milestone(name=f"{path} unchanged", kind="unchanged", path=path) for path in story.files),
    ]
    return Reference(milestones=tuple(milestones))


def steps_of(story: Story) -> list[tuple[str, str]]:
    """The calls of a worked example: (action, observation). Writing a file shows how many characters were written."""
    steps = [(f"python[{one.code}]", str(len(one.text))) for one in story.written]
    return [*steps, (f"python[{story.code}]", answer_of(story))]


class Calculation(NamedTuple):
    """What is done to a number in the end."""

    spoken: str
    """Empty, or `, times 3, plus 4`."""
    derivation: tuple[str, ...]

    def code(self, number: str) -> str:
        """Python for it, from Python for the number."""
        signs = {"times": "*", "plus": "+", "minus": "-", "remainder": "%"}
        for i, word in enumerate(self.derivation):
            name, _, k = word.partition(":")
            number = f"{f'({number})' if i > 1 else number} {signs[name]} {k}"
        return number


def calculation(rng: random.Random, count: int) -> Calculation:
    """So many steps: first a factor, then a summand, then a remainder."""
    words = (
        f"times:{rng.randint(2, 9)}",
        f"{rng.choice(('plus', 'minus'))}:{rng.randint(2, 40)}",
        f"remainder:{rng.randint(5, 30)}",
    )
    spoken = [word.replace("remainder:", "and of that the remainder by ").replace(":", " ") for word in words[:count]]
    return Calculation(", ".join(["", *spoken]), words[:count])


def number_file(numbers: Sequence[int]) -> str:
    """One number a line."""
    return "".join(f"{number}\n" for number in numbers)


def drawn(rng: random.Random, count: int) -> list[int]:
    """Different whole numbers, not in order."""
    return rng.sample(range(2, 100), count)


def beginning(text: str) -> str:
    """What a description shows of the data: its first line."""
    return json.dumps(text.split("\n", 1)[0])
