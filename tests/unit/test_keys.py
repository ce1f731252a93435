"""What looks like the key of a service is refused wherever a configuration holds it, with the variable to use."""

import random
import secrets
import string

import pytest

from agent0es.configuration import load_configuration
from agent0es.configuration.keys import looks_like_a_key
from agent0es.errors import ConfigurationError

OPENAI = "sk-proj-abcdefghijklmnop"
ANTHROPIC = "sk-ant-api03-abcdefgh"
STUDENT = "AGENT0ES_MODELS__STUDENT__"

KEYS = [
    OPENAI,
    ANTHROPIC,
    "AIzaSyA-1234567890abcdefghijklmnopqrstu",
    "hf_abcdefghijklmnopqrstuvwx",
    "gsk_abcdefghijklmnopqrstuvwx",
    "AKIAIOSFODNN7EXAMPLE",
    "Bearer abcdefgh",
    "basic dXNlcjpwYXNz",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc",
    f"my key is {OPENAI}",
]
NO_KEYS = """smollm2-135m-instruct qwen2.5-coder:1.5b-instruct-q4_K_M Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF
bartowski/Meta-Llama-3.1-8B-Instruct-GGUF:Q4_K_M DeepSeek-R1-Distill-Qwen-1-5B-Q4_K_M claude-opus-4-1-20250805
us.anthropic.claude-sonnet-4-5-20250929-v1:0 Phi-3_5-MoE-instruct-Q4_K_M-imat-GGUF-v1-2 gpt-4o-mini-2024-07-18
/home/Me/Models/SmolLM2-135M-Instruct-Q4_1-F16-v2.gguf Qwen2.5-VL-72B-Instruct-AWQ-W4A16-G128-INT8-KV
nvidia/Llama-3_1-Nemotron-Ultra-253B-v1-FP8 hf.co/bartowski/Llama-3.2-3B-Instruct-GGUF:IQ3_M task-1 risk-free-answers
b5f9d8c0a1e2b3c4d5e6f708192a3b4c5d6e7f80 http://localhost:11434/v1 OPENAI_API_KEY Bearer""".split()


@pytest.mark.parametrize("text", KEYS)
def test_a_text_that_looks_like_a_key(text: str) -> None:
    assert looks_like_a_key(text)


@pytest.mark.parametrize("text", NO_KEYS)
def test_a_text_that_looks_like_none(text: str) -> None:
    assert not looks_like_a_key(text)


def test_nearly_all_long_random_words_look_like_keys() -> None:
    chance = random.Random(1)
    letters = string.ascii_letters + string.digits
    for make in (lambda: "".join(chance.choices(letters, k=40)), lambda: secrets.token_urlsafe(32)):
        assert sum(looks_like_a_key(make()) for _ in range(1000)) > 950


@pytest.mark.parametrize(
    ("override", "line"),
    [
        (f"models.student.options.api_key={OPENAI}", "--set models.student.options.api_key holds what looks like a "
         "key, which a log would keep: export it as OPENAI_API_KEY, and set models.student.api_key_env to OPENAI_"),
        ("models.student.options.api_key=x", f"set the environment variable {STUDENT}OPTIONS__API_KEY instead"),
        ("models.student.options.x={api_key: 7}", f"set the environment variable {STUDENT}OPTIONS__X__API_KEY instead"),
        (f"models.teacher.options={{headers: {{x: Bearer {ANTHROPIC}}}}}", "models.teacher.options.headers.x holds "
         "what looks like a key, which a log would keep: export it as ANTHROPIC_API_KEY, and set models.teacher."),
        ("models.student.options.proxy=http://u:p@host", f"set the environment variable {STUDENT}OPTIONS__PROXY inst"),
        ("models.student.name=https://host?token=abc", f"set the environment variable {STUDENT}NAME instead"),
        (f"models.student.api_key_env={OPENAI}", "models.student.api_key_env holds what looks like a key"),
        (f"models.student.options.api_key_env={'af' * 16}", "export it as MY_API_KEY"),
        ("models.student.api_key_env=my-key", "holds what looks like a key"),
        (f"models.student.stop=[{OPENAI}]", "models.student.stop.0 holds what looks like a key"),
        (f"rewards.weights={{{OPENAI}: {OPENAI}}}", "holds what looks like a key, which a log would keep: export it"),
        ("models.student.base_url=http://me:xyzxyzxyz@host", "base_url: must be without user and password; name the"),
        ("models.student.base_url=http://me@host", "base_url: must be without user and password; name the variable"),
        ("models.student.base_url=localhost:11434", "base_url: must be a URL such as http://localhost:8000/v1"),
        ("models.student.base_url=http://host:99999", "base_url: must be a URL such as http://localhost:8000/v1"),
        ("models.student.base_url=http://host?x=1", "base_url: must end with its path, without ? and #"),
        ("models.student.api_key=x", "export it as MY_API_KEY, and set models.student.api_key_env to MY_API_KEY"),
    ],
)  # fmt: skip
def test_a_key_in_a_configuration_is_refused_with_the_variable_to_use(override: str, line: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        load_configuration(overrides=[override], environment={})
    said = str(raised.value)
    assert line in said and "\n" not in said
    key = override.partition("=")[2]
    assert key not in said or key == "x"


def test_a_key_is_not_kept_under_a_name_that_the_log_shows_not_even_from_the_environment() -> None:
    for variable in ("NAME", "OPTIONS__MODEL", "STOP"):
        with pytest.raises(ConfigurationError, match="export it as OPENAI_API_KEY, and set"):
            load_configuration(environment={STUDENT + variable: f"[{OPENAI}]" if variable == "STOP" else OPENAI})
    kept = load_configuration(environment={STUDENT + "OPTIONS__API_KEY": OPENAI}).without_secrets()
    assert kept.models.student.options == {"api_key": "***"}


def test_the_place_of_a_server_and_its_variable_are_kept() -> None:
    asked = ["models.student.base_url=http://[::1]:8000/v1/", "models.student.api_key_env=OPENAI_API_KEY"]
    student = load_configuration(overrides=asked, environment={}).without_secrets().models.student
    assert (student.base_url, student.api_key_env) == ("http://[::1]:8000/v1", "OPENAI_API_KEY")
