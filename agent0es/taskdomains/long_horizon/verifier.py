"""Whether a task of several stages is done: its milestones, one by one, from the files and the answer.

Correct is all of them. The score counts the stages; a broken rule, an input that was changed, halves it. So a working
directory in which nothing was done gets nothing.
"""

from agent0es.domain.task import Submission, Task, Verification
from agent0es.taskdomains.judging import judged
from agent0es.taskdomains.long_horizon import reading
from agent0es.taskdomains.long_horizon.derivation import derive
from agent0es.taskdomains.long_horizon.reference import Milestone, read_reference

RULE_BROKEN = 0.5


def judge(submission: Submission, task: Task) -> Verification:
    """The judgement. Pure; never raises."""
    try:
        milestones = read_reference(task.reference).milestones
        reached = {one.name: _reached(one, submission, task) for one in milestones}
    except ValueError as error:
        return judged(None, "milestones", " ".join(str(error).split())[:200])
    stages = [reached[one.name] for one in milestones if one.kind != "unchanged"]
    rules = all(reached[one.name] for one in milestones if one.kind == "unchanged")
    score = sum(stages) / max(1, len(stages)) * (1.0 if rules else RULE_BROKEN)
    missed = [name for name, done in reached.items() if not done]
    said = f"not reached: {', '.join(missed)}" if missed else f"all {len(reached)} milestones reached"
    nothing = submission.answer is None and not any(stages)
    return Verification(
        correct=not missed,
        score=score,
        confidence=1.0,
        method="none" if nothing else "milestones",
        explanation="no answer" if nothing else said,
        breakdown={name: float(done) for name, done in reached.items()},
    )


def normal_form(answer: str | None) -> str | None:
    """One text for answers that say the same; None for no answer."""
    if answer is None or not answer.strip():
        return None
    text = reading.clean(answer[: reading.LONGEST_ANSWER])
    number = reading.number(text)
    return " ".join(text.split()) if number is None else str(number)


def _reached(milestone: Milestone, submission: Submission, task: Task) -> bool:
    if milestone.kind == "answer":
        return reading.same_answer(submission.answer, milestone.expect)
    text = submission.files.get(milestone.path)
    if milestone.kind == "unchanged":
        if milestone.path not in task.files:
            raise ValueError(f"the task has no file {milestone.path!r} that could be unchanged")
        return text == task.files[milestone.path]
    if text is None:
        return False
    if milestone.kind == "file":
        return reading.same(text, milestone.expect, milestone.format)
    derived = derive(text, milestone.derivation, task.files)
    if derived is None:
        return False
    if not milestone.into:
        return reading.same_answer(submission.answer, derived)
    return reading.same(submission.files.get(milestone.into, ""), derived, milestone.format)
