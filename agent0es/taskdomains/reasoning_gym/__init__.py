"""Tasks of the procedural datasets of reasoning-gym (the extra `gym`): texts and answers are the library's."""

from importlib.util import find_spec

from agent0es.domain.task import Submission, Task, Verification
from agent0es.errors import NotInstalled
from agent0es.taskdomains.family import FamilyDomain, prompt
from agent0es.taskdomains.reasoning_gym import verifier
from agent0es.taskdomains.reasoning_gym.families import FAMILIES
from agent0es.taskdomains.reasoning_gym.families.common import GymFamily

__all__ = ["ReasoningGymDomain"]

INSTALL = "the task domain reasoning_gym needs reasoning-gym; in a clone of agent0es: pip install -e '.[gym]'"


class ReasoningGymDomain(FamilyDomain):
    """Task families of reasoning-gym, with exact answers for the tool `python`."""

    name = "reasoning_gym"
    own = FAMILIES
    system = prompt(__file__, "system")
    teacher_system = prompt(__file__, "teacher")
    mixture = (
        "gym_basic_arithmetic",
        "gym_spell_backward",
        "gym_gcd",
        "gym_weekday_of_date",
        "gym_letter_counting",
        "gym_leg_counting",
        "gym_fraction_simplification",
        "gym_number_filtering",
        "gym_products",
        "gym_simple_equations",
        "gym_word_sequence_reversal",
        "gym_base_conversion",
        "gym_business_days",
        "gym_chain_sum",
        "gym_prime_factorization",
        "gym_friends",
    )
    mixture_seed = 2027

    def __init__(self) -> None:
        """Raises NotInstalled where the library is not."""
        if find_spec("reasoning_gym") is None:
            raise NotInstalled(INSTALL)
        super().__init__()

    def judge(self, submission: Submission, task: Task) -> Verification:
        """Whether the answer is right."""
        family = self._families.get(task.family)
        compare = family.compare if isinstance(family, GymFamily) else verifier.compare_of(task.reference)
        return verifier.judge(submission.answer, task.reference, compare)

    def normal_form(self, answer: str | None) -> str | None:
        """One text for all answers that say the same."""
        return verifier.normal_form(answer)
