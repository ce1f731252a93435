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
