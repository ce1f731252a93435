"""The logic domain: formulas, syllogisms, puzzles and proofs; every answer is computed by its family."""

from agent0es.domain.task import Submission, Task, Verification
from agent0es.taskdomains.base import NeedsCall
from agent0es.taskdomains.family import FamilyDomain, guide, prompt
from agent0es.taskdomains.freeform import expression_freeform
from agent0es.taskdomains.logic import verifier
from agent0es.taskdomains.logic.families import FAMILIES

__all__ = ["LogicDomain"]


class LogicDomain(FamilyDomain):
    """Task families with exact answers for the tool `python`."""

    name = "logic"
    own = FAMILIES
    system = prompt(__file__, "system")
    guide = guide(__file__)
    teacher_system = prompt(__file__, "teacher")
    freeform = expression_freeform("logic", prompt(__file__, "freeform"))
    mixture = (
        "formula_value",
        "satisfying_count",
        "some_number",
        "tautology",
        "culprit",
        "satisfying_model",
        "symmetric_relation",
        "order_count",
        "every_number",
        "entailment",
        "knights_and_knaves",
        "categorical_statement",
        "modus_ponens_proof",
        "model_list",
        "derivable_fact",
        "finishing_order",
    )

    def judge(self, submission: Submission, task: Task) -> Verification | NeedsCall:
        """Whether the answer is right, or the program to run in the sandbox in order to know."""
        return verifier.judge(submission.answer, task)

    def conclude(self, status: str, output: str, submission: Submission, task: Task) -> Verification:
        """The judgement, from the program's output."""
        return verifier.conclude(output if status == "ok" else "", submission.answer, task)

    def normal_form(self, answer: str | None) -> str | None:
        """One text for all answers that say the same."""
        return verifier.normal_form(answer)
