"""The long-horizon domain: tasks of several stages in one working directory, with milestones checked one by one."""

from agent0es.domain.task import Submission, Task, Verification
from agent0es.taskdomains.family import FamilyDomain, guide, prompt
from agent0es.taskdomains.long_horizon import verifier
from agent0es.taskdomains.long_horizon.families import FAMILIES

__all__ = ["LongHorizonDomain"]


class LongHorizonDomain(FamilyDomain):
    """Task families for several calls of the tools `python` and `shell`. Tasks are stories with files and milestones:
    more than a teacher writes freely."""

    name = "long_horizon"
    own = FAMILIES
    tools = ("python", "shell")
    calls_per_attempt = 4
    system = prompt(__file__, "system")
    guide = guide(__file__)
    teacher_system = prompt(__file__, "teacher")
    mixture = (
        "file_total",
        "table_total",
        "file_selection",
        "word_lengths_file",
        "stock_extreme",
        "unique_words_file",
        "table_rows",
        "file_ordering",
        "word_replacement_file",
        "file_scaling",
    )
    mixture_seed = 2026

    def judge(self, submission: Submission, task: Task) -> Verification:
        """Which milestones were reached."""
        return verifier.judge(submission, task)

    def normal_form(self, answer: str | None) -> str | None:
        """One text for all answers that say the same."""
        return verifier.normal_form(answer)
