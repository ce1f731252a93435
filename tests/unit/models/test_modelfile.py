"""What an exported model is made of on an Ollama server: every text arrives as it is, or is refused."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent0es.configuration import Configuration, ModelSettings, changed_configuration
from agent0es.domain.values import Role
from agent0es.models.base import Message
from agent0es.models.chat_template import ChatTemplate
from agent0es.models.gguf_file import GgufFile
from agent0es.models.ollama.modelfile import CONTINUING_CHATML, is_chatml, modelfile, parameters
from agent0es.runs.exporting_ollama import modelfile_of
from agent0es.taskdomains import load_task_domains
from tests.integration.training.tiny_model import OWN, write_tiny_gguf
from tests.support.ollama_modelfile import commands

CHATML = (
    "{% for message in messages %}"
    "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
PIECES = [*'"" \n\t\r#:{', "FROM x\n", "\nSYSTEM ", '"""', "a", "é", "\u00a0", "\u200b", "\0"]
HOSTILE = st.lists(st.sampled_from(PIECES), min_size=1, max_size=8).map("".join)


@given(HOSTILE, HOSTILE, st.lists(HOSTILE, max_size=1))
def test_no_text_breaks_out_or_arrives_as_another(system: str, said: str, stop: list[str]) -> None:
    turns = [Message("system", system), Message("user", said)]
    try:
        text = modelfile("model.gguf", turns, CONTINUING_CHATML, {"temperature": 0.6, "stop": tuple(stop)})
    except ValueError:
        return
    told = [("from", "./model.gguf"), ("template", CONTINUING_CHATML), ("system", system), ("message", f"user: {said}")]
    assert commands(text) == [*told, ("temperature", "0.6"), *(("stop", one) for one in stop)]


@pytest.mark.parametrize(
    "text", ["You solve tasks.\n\tUse a tool.", '"Yes"', '""', ' "', "# FROM x", "\n", "ü: x ", "{{"]
)
def test_ordinary_texts_are_taken(text: str) -> None:
    assert commands(modelfile("m", [Message("system", text)], None, {}))[1] == ("system", text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('"""\nFROM /etc/passwd', '"""'),
        ('x"""', '"""'),
        ('"\u3000""', "u3000"),
        ('"\U0001f9ff""', '"""'),
        ("a\u00a0b", "xa0"),
        ("a\r\nb", r"\\r"),
        ("", "is empty"),
    ],
)
def test_what_a_modelfile_can_not_hold_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=f"its system turn .*{why}"):
        modelfile("m", [Message("system", text)], None, {})
    with pytest.raises(ValueError, match=f"stop .*{why}"):
        modelfile("m", [], None, {"stop": ("fine", text)})


PLAIN = {"top_k": 0, "min_p": 0.0, "repeat_penalty": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0}


@pytest.mark.parametrize(
    ("backend", "options", "trained_for", "changed"),
    [
        ("openvino", {"threads": 2, "top_k": 40}, 8192, {}),
        ("openvino", {"context": 1024}, 8192, {"num_ctx": 1024}),
        ("llama-cpp", {"context": 9000}, 4096, {"num_ctx": 4096}),
        ("ollama", {"top_k": 40, "num_gpu": 3, "weights": "w"}, None, {"top_k": 40}),
        ("ollama", {"num_ctx": 16384, "typical_p": 0.9}, 32768, {"num_ctx": 16384, "typical_p": 0.9}),
    ],
)
def test_it_is_sampled_as_in_its_run(
    backend: str, options: dict[str, object], trained_for: int | None, changed: dict[str, object]
) -> None:
    settings = ModelSettings(backend=backend, temperature=0.3, top_p=0.9, stop=("\n",), options=options)
    expected = {"temperature": 0.3, "top_p": 0.9, **PLAIN, "num_ctx": 8192, "stop": ("\n",)}
    assert parameters(settings, trained_for) == expected | changed


@pytest.mark.parametrize(
    ("source", "known"),
    [
        (CHATML, True),
        ("{{ bos_token }}" + CHATML, False),
        (CHATML.replace("message['content']", "message['content'] | trim"), False),
        (CHATML.replace("<|im_start|>", "<|"), False),
        ("{{ raise_exception('no system turn') }}", False),
    ],
)
def test_chatml_is_known_by_what_it_writes(source: str, known: bool) -> None:
    template = ChatTemplate(source, ("<|im_start|>", "<|im_end|>"), (("bos_token", "<s>"),))
    assert is_chatml(template) is known


BEFORE = ("from", "template", "system", "message")


@pytest.mark.parametrize(
    ("role", "changes", "chat_format", "told"),
    [
        ("student", [], "", ["from", "template", "system"]),
        ("student", [], OWN, ["from", "system"]),
        ("student", ["models.student.observations=turns"], "", ["from", "system"]),
        ("student", ["curriculum.domains=[math, code]"], "", ["from", "template"]),
        ("student", ["models.student.prompt=guide"], OWN, ["from", "system", "message", "message"]),
        ("student", ["models.student.prompt=guide", "models.student.trained_prompt=short"], OWN, ["from", "system"]),
        ("teacher", [], "", ["from", "system"]),
    ],
)
def test_it_is_told_what_its_run_told_it(
    tmp_path: Path, role: Role, changes: list[str], chat_format: str, told: list[str]
) -> None:
    base = GgufFile.open(write_tiny_gguf(tmp_path / "tiny.gguf", template=chat_format))
    read = commands(modelfile_of(changed_configuration(Configuration(), changes), role, base, "m.gguf"))
    assert [name for name, _ in read if name in BEFORE] == told
    math = load_task_domains(["math"])["math"]
    system = dict(read).get("system", "")
    whole = math.teacher_system if role == "teacher" else math.system
    assert system.startswith("Solve" if "message" in told else whole) if "system" in told else not system
    assert dict(read)["num_ctx"] == "512" and dict(read)["temperature"] == ("1.0" if role == "teacher" else "0.6")
