"""The longest prompts, by which `agent0es models check` tells whether a run fits into a model's context."""

from agent0es.decisions.longest import longest_prompts
from agent0es.taskdomains import load_task_domains
from tests.support.world import configured


def test_a_teacher_that_is_kept_to_no_schema_has_it_to_read() -> None:
    configuration = configured("curriculum.domains=[math]")
    domains = load_task_domains(["math"])
    kept, told = (longest_prompts(configuration, domains, able)["teacher"].messages for able in (True, False))
    assert told[:-1] == kept[:-1]
    assert told[-1].content.startswith(kept[-1].content)
    assert "this JSON schema" in told[-1].content.removeprefix(kept[-1].content)


def test_a_student_that_is_trained_is_examined_with_more_worked_examples_than_it_practises_with() -> None:
    domains = load_task_domains(["math"])

    def letters(*settings: str) -> int:
        prompt = longest_prompts(configured("curriculum.domains=[math]", *settings), domains, True)["student"]
        return sum(len(message.content) for message in prompt.messages)

    practised = letters("training.roles=[]", "curriculum.demonstrations=1")
    assert practised < letters("curriculum.demonstrations=1", "evaluation.demonstrations=8")
    assert letters("evaluation.demonstrations=8") < letters("evaluation.demonstrations=16")
    assert practised == letters("training.roles=[]", "curriculum.demonstrations=1", "evaluation.demonstrations=16")
