"""The math domain: arithmetic, lists, strings, dates, algebra and more; every answer is computed by its family."""

from dataclasses import replace

from agent0es.domain.task import Submission, Task, Verification
from agent0es.taskdomains.base import NeedsCall
from agent0es.taskdomains.family import FamilyDomain, guide, prompt
from agent0es.taskdomains.freeform import expression_freeform
from agent0es.taskdomains.math import verifier
from agent0es.taskdomains.math.families import CHAINED, COMPOSED, CORE, EXTENDED, STORIES, UNKNOWN

__all__ = [
    "AdvancedMathDomain",
    "ChainedOperationsDomain",
    "ComposedStoriesDomain",
    "MathDomain",
    "UnknownQuantitiesDomain",
    "WordProblemsDomain",
]


class MathDomain(FamilyDomain):
    """Task families with exact answers for the tools `python` and `math`."""

    name = "math"
    own = CORE
    tools: tuple[str, ...] = ("python", "math")
    system = prompt(__file__, "system")
    guide = guide(__file__)
    teacher_system = prompt(__file__, "teacher")
    freeform = expression_freeform("math", prompt(__file__, "freeform"))
    mixture: tuple[str, ...] = (
        "product",
        "word_reversal",
        "list_sum",
        "gcd",
        "days_after",
        "even_count",
        "expansion",
        "fraction_sum",
        "percent_of",
        "digit_sum",
        "first_letters",
        "keep_less",
        "sum_up_to",
        "upper_case",
        "remainder",
        "list_mean",
    )

    def judge(self, submission: Submission, task: Task) -> Verification | NeedsCall:
        """Whether the answer is right, or the program to run in the sandbox in order to know."""
        return verifier.judge(submission.answer, task)

    def conclude(self, status: str, output: str, submission: Submission, task: Task) -> Verification:
        """The judgement, from the program's output."""
        return verifier.conclude(status, output, submission.answer, task)

    def normal_form(self, answer: str | None) -> str | None:
        """One text for all answers that say the same."""
        return verifier.normal_form(answer)


class AdvancedMathDomain(MathDomain):
    """The same tools and verifier, for what is taught later. A domain of its own, so that who practises `math` alone is
    measured on the same problems as ever."""

    name = "advanced_math"
    own = tuple(replace(family, domain="advanced_math") for family in EXTENDED)
    freeform = expression_freeform("advanced_math", prompt(__file__, "freeform"))
    mixture = tuple(family.name for family in EXTENDED if family.split == "practised")[::2][:16]


class ChainedOperationsDomain(MathDomain):
    """Operations of `math` in a row, put together at random: a wider base than families are."""

    name = "chained_operations"
    own = CHAINED
    tools = ("python",)
    freeform = expression_freeform("chained_operations", prompt(__file__, "freeform"))
    mixture = tuple(family.name for family in CHAINED if family.split == "practised")


class WordProblemsDomain(MathDomain):
    """Schoolbook stories of several steps, for a model that reasons: `python` alone, one short program a story."""

    name = "word_problems"
    own = tuple(replace(family, domain="word_problems") for family in STORIES)
    tools = ("python",)
    system = prompt(__file__, "stories_system")
    guide = guide(__file__, "stories_guide")
    freeform = expression_freeform("word_problems", prompt(__file__, "stories_freeform"), above_zero=True)
    mixture = tuple(family.name for family in STORIES if family.split == "practised")[::2][:16]


class ComposedStoriesDomain(WordProblemsDomain):
    """Stories put together at random, for a model that reasons: too many to learn by heart."""

    name = "composed_stories"
    own = COMPOSED
    freeform = expression_freeform("composed_stories", prompt(__file__, "stories_freeform"), above_zero=True)
    mixture = tuple(family.name for family in COMPOSED if family.split == "practised")


class UnknownQuantitiesDomain(WordProblemsDomain):
    """Stories in which what the others follow from isn't told. Its guide lets SymPy solve the equation: a model that
    does so by hand mostly goes wrong."""

    name = "unknown_quantities"
    own = UNKNOWN
    guide = guide(__file__, "unknowns_guide")
    freeform = expression_freeform("unknown_quantities", prompt(__file__, "stories_freeform"), above_zero=True)
    mixture = tuple(family.name for family in UNKNOWN if family.split == "practised")
