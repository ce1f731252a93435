"""Any GGUF that OpenVINO reads practises, in its own chat format."""

import re
from pathlib import Path

import pytest

from agent0es.domain import events as ev
from agent0es.log import EventLog
from agent0es.models.chat_template import ChatTemplate
from agent0es.models.gguf_file import GgufFile
from agent0es.models.openvino import ARCHITECTURES
from tests.integration.training.tiny_model import SPECIAL
from tests.support.commands import answer
from tests.support.engines import tiny_weights
from tests.unit.tools.sandboxes import needs_sandbox

SETTINGS = {
    "models.teacher.backend": "scripted",
    "models.teacher.name": "tests.support.scripted:respond",
    "models.student.max_tokens": "8",
    "training.roles": "[]",
    "execution.attempts": "1",
    "curriculum.novelty_bar": "0",
    "alerts.rules.disk_full.above": "null",
}


def tokens_of(text: str) -> int:
    """How many the tiny model reads: control tokens, bytes, and `in` as one."""
    special = "|".join(map(re.escape, SPECIAL))
    rest = re.sub(special, "", text)
    return len(re.findall(special, text)) + len(rest.encode()) - rest.count("in")


@needs_sandbox
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_model_practises_in_its_own_chat_format(tmp_path: Path, architecture: str) -> None:
    weights = tiny_weights(tmp_path, architecture, context=8192)
    settings = {**SETTINGS, "models.student.name": str(weights.path)}
    options = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    answer(tmp_path / "store", "run", "--iterations", "1", "--tasks", "2", "--domains", "math", *options)
    with EventLog.open(tmp_path / "store" / "log.db", read_only=True) as log:
        events = [recorded.event for recorded in log.read()]
    assert isinstance(events[-1], ev.RunCompleted)
    calls = [event for event in events if isinstance(event, ev.ModelCalled) and event.role == "student"]
    assert len(calls) >= 2
    template = ChatTemplate.of(GgufFile.open(weights.path))
    for call in calls:
        prompt = template.render(call.prompt.messages, call.prompt.begun)
        assert ("<|assistant|>" in prompt) == (architecture != "llama")
        assert (call.model, call.prompt_tokens) == ("tiny:Q8_0", tokens_of(prompt))
        assert call.tokens is not None and len(call.tokens.ids or ()) == call.completion_tokens
