"""What the contract tests catch: mistakes that strangers made and that nothing told them of."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import pytest

from agent0es.models import Capabilities, Completion, GenerationRequest, SimpleBackend, Usage
from agent0es.taskdomains import Choice, Family, FamilyDomain, Int, TaskDomain
from agent0es.testing import BackendContract, FamilyContract, ToolContract
from agent0es.tools import ToolLimits, ToolResult
from agent0es.tools.base import refused
from tests.unit.tools.sandboxes import needs_sandbox

MEASURES = Family(
    name="measures",
    domain="math",
    group="measures",
    split="practised",
    parameters={"n": Int((1, 9), (100, 999)), "by": Int((2, 3), (2, 9)), "unit": Choice(("cm", "km"))},
    wordings=("What is {n} {unit} times {by}?", "How many {unit} are {n} {unit} times {by}?"),
    reference_action="python[{n} * {by}]",
    answer_of=lambda n, by, unit: f"{n * by} {unit}",
)


@pytest.mark.parametrize("left_out", ["{n}", "{by}", "{unit}"])
def test_a_wording_that_leaves_out_what_the_answer_depends_on(left_out: str) -> None:
    class Measures(FamilyContract):
        def families(self) -> Sequence[Family]:
            return [family]

    family = MEASURES
    Measures().test_samples_are_in_range_and_the_student_is_told_what_the_answer_depends_on()
    family = replace(MEASURES, wordings=(MEASURES.wordings[0], MEASURES.wordings[1].replace(left_out, "some")))
    with pytest.raises(AssertionError, match="wording 1 reads the same, and the answers are"):
        Measures().test_samples_are_in_range_and_the_student_is_told_what_the_answer_depends_on()


class Echo(SimpleBackend):
    name = "echo"
    capabilities = Capabilities(seeds=False)
    says = "one two three four five"
    blocks = 0.0
    read = True

    async def complete(self, request: GenerationRequest) -> Completion:
        time.sleep(self.blocks)  # noqa: ASYNC251 - the mistake
        words = self.says.split()[: request.max_tokens]
        read = len(request.prefill.split()) if self.read else 0
        return Completion(" ".join(words), "stop", Usage(1 + read, len(words)), self.name, None, 0.1)


class Contract(BackendContract):
    closes = False


def test_a_backend_that_does_not_send_the_prefill() -> None:
    echo = Echo()
    Contract().test_a_turn_that_has_begun_is_continued(echo)
    echo.read = False
    with pytest.raises(AssertionError, match="the model reads the prefill too"):
        Contract().test_a_turn_that_has_begun_is_continued(echo)


def test_a_backend_that_blocks_all_others() -> None:
    echo = Echo()
    Contract().test_others_may_work_while_it_answers(echo)
    echo.blocks = 0.32
    with pytest.raises(pytest.fail.Exception, match="nothing else ran for"):
        Contract().test_others_may_work_while_it_answers(echo)


def test_a_model_of_few_words_is_told_of_in_words() -> None:
    echo = Echo()
    echo.says = "two words"
    for test in ("the_bound_on_tokens_holds", "the_text_ends_before_a_stop_string"):
        with pytest.raises(AssertionError, match="a model that writes at least four words to any question"):
            getattr(Contract(), f"test_{test}")(echo)


def test_a_tool_that_takes_no_limits_and_one_that_says_why() -> None:
    class Three(ToolContract):
        examples: ClassVar = {"1 + 2": "3.0"}

        def answers(self, texts: Sequence[str], limits: ToolLimits | None = None) -> list[ToolResult]:
            return [replace(refused(said), status=status) for _ in texts]  # type: ignore[arg-type]

    status, said = "ok", "3.0"
    Three().test_the_examples_hold_alone_and_one_after_the_other()
    with pytest.raises(AssertionError, match=r"gives 3 bytes where limits\.output_limit_bytes is 1: 3\.0"):
        Three().test_the_bound_on_output_holds()
    status, said = "error", "ModuleNotFoundError: No module named 'ruler'"
    with pytest.raises(AssertionError, match=r"'1 \+ 2' gives error: ModuleNotFoundError: No module named 'ruler'"):
        Three().test_the_examples_hold_alone_and_one_after_the_other()


@needs_sandbox
def test_a_normal_form_that_contradicts_the_judge() -> None:
    class Blind(FamilyDomain):
        name = "math"
        own = (replace(MEASURES, answer_of=lambda n, by, unit: str(n * by)),)

        def normal_form(self, answer: str | None) -> str | None:
            return answer and "a number"

    class Measures(FamilyContract):
        def domain(self) -> TaskDomain:
            return domain

        def families(self) -> Sequence[Family]:
            return Blind.own

    domain: TaskDomain = Blind()
    with pytest.raises(AssertionError, match=r"measures: normal_form takes '.*' for '.*', and judge says it is wrong"):
        Measures().test_the_answers_to_other_tasks_of_the_family_are_not_all_right()
