"""The longest prompts, by which `agent0es models check` tells whether a run fits into a model's context."""

import random
from itertools import combinations

from agent0es.agents import teacher
from agent0es.decisions.longest import HARDEST, longest_prompts
from agent0es.taskdomains import load_task_domains
from agent0es.taskdomains.base import FEWEST_PRACTISED
from tests.support.world import configured


def test_no_request_of_a_teacher_is_longer_with_the_schema_that_it_has_to_read() -> None:
    [math] = load_task_domains(["math"]).values()
    names = [family.name for family in math.families("practised")]

    def letters(able: bool, *settings: str) -> int:
        configuration = configured("curriculum.domains=[math]", *settings)
        return len(longest_prompts(configuration, {"math": math}, able)["teacher"].messages[-1].content)

    def asked(*families: str) -> int:
        wanted = dict.fromkeys(families, HARDEST)
        return len(teacher.in_full(teacher.request_text(wanted), teacher.schema(math, wanted), False))

    practised = letters(False, "training.roles=[]", "curriculum.candidates=2")
    assert practised > letters(True, "training.roles=[]", "curriculum.candidates=2")
    assert all(practised >= asked(*two) for two in combinations(names, 2))
    examined = letters(False, "training.roles=[teacher]", "curriculum.candidates=2")
    assert all(examined >= asked(*random.Random(seed).sample(names, FEWEST_PRACTISED)) for seed in range(200))


def test_a_student_that_is_trained_is_examined_with_more_worked_examples_than_it_practises_with() -> None:
    domains = load_task_domains(["math"])

    def letters(*settings: str) -> int:
        prompt = longest_prompts(configured("curriculum.domains=[math]", *settings), domains, True)["student"]
        return sum(len(message.content) for message in prompt.messages)

    practised = letters("training.roles=[]", "curriculum.demonstrations=1")
    assert practised < letters("curriculum.demonstrations=1", "evaluation.demonstrations=8")
    assert letters("evaluation.demonstrations=8") < letters("evaluation.demonstrations=16")
    assert practised == letters("training.roles=[]", "curriculum.demonstrations=1", "evaluation.demonstrations=16")
