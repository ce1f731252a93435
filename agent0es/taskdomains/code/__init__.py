"""The code domain: functions with hidden tests, outputs to predict, mistakes to fix, code to improve."""

from agent0es.domain.task import Submission, Task, Verification
from agent0es.taskdomains.base import NeedsCall
from agent0es.taskdomains.code import verifier
from agent0es.taskdomains.code.families import FAMILIES
from agent0es.taskdomains.code.freeform import code_freeform
from agent0es.taskdomains.family import FamilyDomain, guide, prompt

__all__ = ["CodeDomain"]


class CodeDomain(FamilyDomain):
    """Task families for the tools `tests` and `python`."""

    name = "code"
    own = FAMILIES
    tools = ("tests", "python")
    system = prompt(__file__, "system")
    guide = guide(__file__)
    teacher_system = prompt(__file__, "teacher")
    freeform = code_freeform(prompt(__file__, "freeform"))
    mixture = (
        "write_filter",
        "output_list_methods",
        "write_predicate",
        "fix_operator",
        "write_text_change",
        "output_comprehension",
        "plain_condition",
        "write_total",
        "write_dictionary",
        "rename_parameter",
        "write_map",
        "output_assignments",
        "fix_slice",
        "write_sorting",
        "write_formula",
        "output_text_methods",
    )
    mixture_seed = 2025

    def judge(self, submission: Submission, task: Task) -> Verification | NeedsCall:
        """Whether the predicted output is right, or the hidden tests to run."""
        return verifier.judge(submission.answer, task)

    def conclude(self, status: str, output: str, submission: Submission, task: Task) -> Verification:
        """The judgement, from the results of the tests."""
        return verifier.conclude(status, output, submission.answer, task)

    def normal_form(self, answer: str | None) -> str | None:
        """One text for answers that differ in layout alone."""
        return verifier.normal_form(answer)
