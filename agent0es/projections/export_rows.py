"""The rows of a dataset in the shapes that TRL reads, as values of JSON. Pure.

What a tool gave is a turn of the user, also where the student continued its own turn: TRL learns whole turns, and would
learn what tools say. So who is trained elsewhere is asked as with `models.student.observations: turns`.
"""

import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from agent0es.domain.prompt import Part, Prompt, Speaker
from agent0es.domain.seeds import derive_seed
from agent0es.projections.examples import Example
from agent0es.projections.practice import Practice

Row = dict[str, Any]
PromptOf = Callable[[Example], Prompt]

ZERO_WIDTH_SPACE = "\u200b"
_NAMES = (
    r"/?(?:s|bos|eos|pad|unk|mask|think|tool_call|tool_response|tools|start_of_turn|end_of_turn|start_of_image|"
    r"end_of_image|BOS_TOKEN|EOS_TOKEN|PAD_TOKEN|reponame|repo_name|filename|file_sep|gh_stars|issue_\w+|jupyter_\w+|"
    r"empty_output|commit_\w+|fim_\w+|unused\d+|sop|eop)"
)
_BRACKETS = (
    r"/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT|ARGS|CALL_ID|THINK|gMASK|sMASK)"
)
_CONTROL = re.compile(rf"(<(?=[|｜][^<>\s]{{1,60}}[|｜]>)|<(?={_NAMES}>)|<(?=</?SYS>>)|\[(?={_BRACKETS}\]))")
"""The first character of what common models have for control tokens: `<|im_end|>`, `<｜User｜>`, `</s>`, `[/INST]`."""


def harmless(text: str) -> str:
    """The text with control tokens broken by a zero-width space, as those of the student's model are wherever it is
    asked. Which model will be trained elsewhere nobody knows, so all that are common are broken."""
    return _CONTROL.sub(r"\1" + ZERO_WIDTH_SPACE, text)


def messages(parts: Iterable[Part]) -> list[Row]:
    """Turns as messages, control tokens broken."""
    return [{"role": part.role, "content": harmless(part.text)} for part in parts]


def said(example: Example) -> list[Part]:
    """The turns after the request: the agent's own, and between them what tools gave."""
    turns: list[Part] = []
    for part in (*example.turns, *example.said):
        role: Speaker = "user" if part.author == "tool" else part.role
        text, learnt = part.text, part.trainable
        if turns and turns[-1].role == role:  # pieces of one turn, such as `Answer:` and what comes after it
            before = turns.pop()
            text, learnt = before.text + text, before.trainable and learnt
        turns.append(Part(role=role, text=text, author=part.author, trainable=learnt))
    whole = (turn.model_copy(update={"text": turn.text.strip()}) for turn in turns)
    return [turn for turn in whole if turn.text]


def lineage(example: Example) -> Row:
    """Where a row comes from: `agent0es show ATTEMPT --run RUN` has all of it. A teacher's row has a task alone."""
    attempt = {} if example.source == str(example.task) else {"attempt": example.source}
    return {
        "run": example.run,
        **attempt,
        "task": example.task,
        "domain": example.domain,
        "family": example.family,
        "difficulty": example.difficulty,
    }


def prompt_completion(examples: Iterable[Example], prompt_of: PromptOf) -> Iterator[Row]:
    """A row for each turn that is to be learnt, with all that was said before it as its prompt: so what tools gave, and
    calls that failed, are read and not learnt."""
    for example in examples:
        asked, after = _parts(prompt_of(example)), said(example)
        for at, part in enumerate(after):
            if part.trainable and part.role == "assistant":
                prompt = messages([*asked, *after[:at]])
                yield {"prompt": prompt, "completion": messages([part]), **lineage(example)}


def conversational(examples: Iterable[Example], prompt_of: PromptOf) -> Iterator[Row]:
    """A row for each example, with all its turns."""
    for example in examples:
        yield {"messages": messages([*_parts(prompt_of(example)), *said(example)]), **lineage(example)}


def preference(pairs: Iterable[tuple[Example, Example]], prompt_of: PromptOf) -> Iterator[Row]:
    """A row for each right attempt and a wrong one at the same task."""
    for right, wrong in pairs:
        yield {
            "prompt": messages(_parts(prompt_of(right))),
            "chosen": messages(said(right)),
            "rejected": messages(said(wrong)),
            **lineage(right),
            "rejected_attempt": wrong.source,
        }


def unpaired_preference(right: Iterable[Example], wrong: Iterable[Example], prompt_of: PromptOf) -> Iterator[Row]:
    """A row for each attempt, with `label` saying whether it is right."""
    for label, examples in ((True, right), (False, wrong)):
        for example in examples:
            prompt, completion = messages(_parts(prompt_of(example))), messages(said(example))
            yield {"prompt": prompt, "completion": completion, "label": label, **lineage(example)}


def prompt_only(tasks: Iterable[Example], practised: Practice, prompt_of: PromptOf) -> Iterator[Row]:
    """A row for each task, with what a reward function needs: what the verifier compares an answer with, and p̂."""
    for example in tasks:
        task = practised.tasks[example.task]
        yield {
            "prompt": messages(_parts(prompt_of(example))),
            "answer": task.task.reference,
            **lineage(example),
            "solved": example.solved,
            "attempts": len(task.judged),
        }


def right_as_a_whole(examples: Iterable[Example]) -> list[Example]:
    """Those that may be preferred: a mended example holds a wrong attempt, too."""
    return [example for example in examples if example.mended is None]


def pairs(right: Sequence[Example], wrong: Iterable[Example], seed: int) -> list[tuple[Example, Example]]:
    """Each right example with a wrong one at its task, drawn from the seed, another for each as long as there are."""
    at_task: dict[int, list[Example]] = defaultdict(list)
    for example in wrong:
        at_task[example.task].append(example)
    for task, examples in at_task.items():
        random.Random(derive_seed(seed, f"pairs/{task}")).shuffle(examples)
    found = []
    for example in right:
        if rejected := at_task.get(example.task):
            found.append((example, rejected[0]))
            rejected.append(rejected.pop(0))
    return found


def _parts(prompt: Prompt) -> list[Part]:
    return [*prompt.opening, *prompt.turns]
