'''A Modelfile, of which `ollama create NAME -f Modelfile` makes a model. Pure.

The format has no escapes (Ollama's parser/parser.go). A value in `"""` ends with the first line that ends in them, and
what can't be printed is left out. So a text that would end early, or arrive as another, is refused.
'''

import re
from collections.abc import Iterable, Mapping
from typing import Any

from agent0es.configuration import ModelSettings
from agent0es.domain.prompt import Message
from agent0es.models.base import RequestRefused
from agent0es.models.chat_template import ChatTemplate
from agent0es.models.ollama.options import DEFAULT_CONTEXT, OllamaOptions

CONTINUING_CHATML = """\
{{- range $i, $_ := .Messages }}{{ $last := eq (len (slice $.Messages $i)) 1 }}<|im_start|>{{ .Role }}
{{ .Content }}{{ if not (and $last (eq .Role "assistant")) }}<|im_end|>
{{ end }}{{ if and $last (ne .Role "assistant") }}<|im_start|>assistant
{{ end }}{{ end }}"""
"""ChatML as a Go template that leaves the assistant's last turn open. The one that Ollama finds for such files by
itself ends it, so that the model would begin another."""
OF_A_MACHINE = ("num_gpu", "main_gpu", "num_thread", "num_batch")
"""Options that suit where the run was, and no other machine."""
_QUOTES = '"""'
_ASCII = re.compile(r"[^\n\t -~]")


def modelfile(file: str, turns: Iterable[Message], template: str | None, parameters: Mapping[str, Any]) -> str:
    """The Modelfile of the GGUF `file` beside it. `turns` stand before every chat: the system turn, a worked example.
    Without a template Ollama takes the file's own, or one that is nearest to it; a parameter may have several values.

    Raises ValueError for a text that a Modelfile can't hold.
    """
    lines = [f"FROM ./{file}"]
    if template is not None:
        lines.append(f"TEMPLATE {quoted(template, 'its template')}")
    for role, text in turns:
        lines.append(f"{'SYSTEM' if role == 'system' else f'MESSAGE {role}'} {quoted(text, f'its {role} turn')}")
    for name, value in parameters.items():
        for one in value if isinstance(value, list | tuple) else (value,):
            lines.append(f"PARAMETER {name} {quoted(one, name) if isinstance(one, str) else one}")
    return "\n".join(lines) + "\n"


def parameters(settings: ModelSettings, trained_for: int | None) -> dict[str, Any]:
    """How a model of a run is sampled, as parameters: by temperature and top_p alone, whatever the server's defaults
    are, unless the run's own Ollama was told otherwise. `trained_for` is the model's context in tokens, where known."""
    asked = settings.options
    own = {name: asked[name] for name in OllamaOptions.model_fields if name in asked and settings.backend == "ollama"}
    context = int(asked.get("num_ctx") or asked.get("context") or DEFAULT_CONTEXT)
    sampling = {name: value for name, value in OllamaOptions(**own).sent.items() if name not in OF_A_MACHINE}
    return {
        "temperature": settings.temperature,
        "top_p": settings.top_p,
        **sampling,
        "num_ctx": min(context, trained_for or context),
        "stop": settings.stop,
    }


def quoted(text: str, what: str) -> str:
    """The text as a value. Raises ValueError, which names `what`, for one that would arrive as another."""
    if not text:
        raise ValueError(f"{what} is empty, which a Modelfile can't say")
    for letter in text:
        if letter not in "\n\t" and not letter.isprintable():
            raise ValueError(f"{what} holds {letter!r}, which Ollama would leave out of a Modelfile")
    if _QUOTES in _ASCII.sub("", text):  # what Ollama can't print may not join quotes either
        raise ValueError(f"{what} holds {_QUOTES}, with which it would end in a Modelfile")
    return f"{_QUOTES}{text}{_QUOTES}"


def is_chatml(template: ChatTemplate) -> bool:
    """Whether prompts are written as CONTINUING_CHATML writes them."""
    turns = [Message("system", " a\n"), Message("user", "b "), Message("assistant", "c"), Message("user", "d")]
    chatml = "".join(f"<|im_start|>{role}\n{text}<|im_end|>\n" for role, text in turns)
    try:
        return template.render(turns) == f"{chatml}<|im_start|>assistant\n"
    except RequestRefused:
        return False
