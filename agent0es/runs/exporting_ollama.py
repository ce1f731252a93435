"""How an exported adapter is asked by Ollama: as in its run."""

from typing import TYPE_CHECKING

from agent0es import bootstrap
from agent0es.agents import student_prompt, teacher
from agent0es.domain.prompt import Message, Part
from agent0es.models.chat_template import ChatTemplate
from agent0es.models.ollama.modelfile import CONTINUING_CHATML, is_chatml, modelfile, parameters
from agent0es.taskdomains.base import TaskDomain

if TYPE_CHECKING:
    from agent0es.configuration import Configuration
    from agent0es.domain.values import Role
    from agent0es.models.gguf_file import GgufFile


def modelfile_of(configuration: "Configuration", role: "Role", base: "GgufFile", file: str) -> str:
    """The Modelfile of the GGUF `file`, which is `base` with what `role` has learnt.

    What it is told before any task is in it where all task domains of the run have that in common. The template is
    Ollama's choice, but for a student that continues its turns. Raises ValueError for a text that a Modelfile can't
    hold, ConfigurationError where a task domain is gone.
    """
    continues = role == "student" and configuration.models.student.observations == "continued"

    def told(domain: TaskDomain) -> tuple[Part, ...]:
        if role == "teacher":
            return tuple(teacher.zero_shot(domain))
        said = student_prompt.told(domain, trained=True)
        return student_prompt.opening(said.system, (), "", guide=said.guide, in_turns=not continues).opening

    openings = {told(domain) for domain in bootstrap.practised_domains(configuration).values()}
    turns = [Message(part.role, part.text) for part in openings.pop()] if len(openings) == 1 else []
    template = CONTINUING_CHATML if continues and is_chatml(ChatTemplate.of(base)) else None
    context = base.metadata.get(f"{base.metadata.get('general.architecture')}.context_length")
    settings = getattr(configuration.models, role)
    return modelfile(file, turns, template, parameters(settings, context))
