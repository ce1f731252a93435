"""A command as a model: what it may answer, and what it can do wrong without that anything blocks or is left behind."""

import asyncio
import json
import re
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from agent0es.errors import ConfigurationError, ModelNotFound
from agent0es.models import Completion, GenerationFailed, GenerationRequest, Message, RequestRefused
from agent0es.models.cli import CliBackend
from agent0es.testing import BackendContract
from agent0es.testing.models import ask

ROOT = Path(__file__).parents[3]
[EXAMPLE] = re.findall(r"```python\n(# words\.py.*?)```", (ROOT / "docs" / "models.md").read_text(), re.DOTALL)
ABLE = ("prefill", "sampling", "seeds", "structured_output")


@pytest.fixture(scope="session")
def words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example of the documentation, as a file."""
    path = tmp_path_factory.mktemp("words") / "words.py"
    path.write_text(EXAMPLE)
    return path


def command(program: str | Path, **options: Any) -> CliBackend:
    """A backend whose command is this Python program, as text or as a file."""
    how = (str(program),) if isinstance(program, Path) else ("-c", program)
    return CliBackend.create("words", command=[sys.executable, "-I", "-S", "-u", *how], **options)


def answer(backend: CliBackend, *requests: GenerationRequest) -> list[Completion]:
    async def all_of_them() -> list[Completion]:
        try:
            return await backend.generate(requests or [ask()])
        finally:
            await backend.close()

    return asyncio.run(all_of_them())


def test_the_example_of_the_documentation_is_short() -> None:
    assert len(EXAMPLE.splitlines()) <= 16


class TestCommand(BackendContract):
    """A process for each request."""

    @pytest.fixture
    def backend(self, words: Path) -> CliBackend:
        return command(words, can=ABLE, processes=16)


class TestBatch(BackendContract):
    """One process for all of them."""

    @pytest.fixture
    def backend(self, words: Path) -> CliBackend:
        return command(words, can=ABLE, batch=True)


@pytest.mark.slow
class TestText(BackendContract):
    """Turns in, text out."""

    @pytest.fixture
    def backend(self) -> CliBackend:
        return command("print('one two three four five six seven')", format="text", processes=16)


def test_a_command_is_told_all_that_it_can_take_and_nothing_else() -> None:
    echo = "import sys, json; print(json.dumps({'text': sys.stdin.read()}))"
    request = GenerationRequest(
        (Message("system", "Be brief."), Message("user", "\ud800 and \x00?")),
        400,
        temperature=0.5,
        top_p=0.9,
        seed=2**63,
        json_schema={"type": "object"},
        prefill="{",
    )
    [able] = answer(command(echo, can=ABLE), request)
    told = json.loads(able.text)
    assert told["messages"][1] == {"role": "user", "content": "\ud800 and \x00?"}
    assert (told["seed"], told["top_p"], told["prefill"], told["json_schema"]) == (2**63, 0.9, "{", {"type": "object"})
    assert able.left_out == ()
    [unable] = answer(command(echo), request)
    assert json.loads(unable.text).keys() == {"model", "messages", "max_tokens", "stop"}
    assert set(unable.left_out) == {"temperature", "top_p", "seed", "json_schema", "prefill"}


def test_the_words_of_a_model_reach_standard_input_only(tmp_path: Path) -> None:
    said = "$(touch owned); `touch owned` --version"
    spy = "import sys, os, json; print(json.dumps({'text': repr(sys.argv) + repr(dict(os.environ))}))"
    [completion] = answer(command(spy), ask(said, 4000))
    assert "owned" not in completion.text


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ({"text": "one", "usage": {"prompt": 5, "written": 1, "cached": 3}}, "one"),
        ({"text": "one", "finish_reason": "length", "more": [1]}, "one"),
        ({"text": "", "thinking": "hm"}, ""),
        ({"text": "a \ud800 b"}, "a � b"),
    ],
)
def test_answers(said: dict[str, Any], text: str) -> None:
    [completion] = answer(command(f"print({json.dumps(said)!r})"))
    assert completion.text == text
    assert completion.thinking == said.get("thinking")
    assert completion.finish_reason == said.get("finish_reason", "stop")
    if "usage" in said:
        assert (completion.usage.prompt, completion.usage.written, completion.usage.cached) == (5, 1, 3)


def test_log_probabilities_where_the_command_gives_them() -> None:
    said = {"text": "a b", "logprobs": [-0.5, -1.5], "token_ids": [3, 4]}
    [completion] = answer(command(f"print({json.dumps(said)!r})", can=["logprobs"]))
    assert (completion.logprobs, completion.token_ids, completion.mean_logprob) == ((-0.5, -1.5), (3, 4), -1.0)
    assert completion.usage.written == 2


FAULTS = {
    "an exit code": ("import sys; sys.exit('out of credit')", r"words: exit code 1: out of credit$"),
    "no words": ("import os; os._exit(3)", r"words: exit code 3$"),
    "a signal": ("import os; os.kill(os.getpid(), 9)", r"words: ended by signal 9$"),
    "no JSON": ("print('hello')", r"it wrote no JSON object, but 'hello'$"),
    "nothing": ("", r"it wrote no JSON object, but ''$"),
    "invalid UTF-8": ("import sys; sys.stdout.buffer.write(b'\\xff\\xfe')", r"no JSON object, but '��'$"),
    "another kind": ("print('[1]')", r"no JSON object, but '\[1\]'$"),
    "deep JSON": ("print('[' * 100000)", r"no JSON object, but '\[\[\[.*…'$"),
    "no text": ("print('{}')", r"neither `text` nor `error`$"),
    "a wrong type": ("""print('{"text": 7}')""", r"text: Input should be a valid string$"),
    "no number": ("""print('{"text": "a", "logprobs": [NaN]}')""", r"logprobs\.0: Input should be a finite number$"),
    "too many tokens": (
        """print('{"text": "a", "usage": {"prompt": 1, "written": 999}}')""",
        r"it wrote 999 tokens, of at most 24$",
    ),
    "a long story": ("import sys; sys.stderr.write('x' * 10**6); sys.exit(1)", r"words: exit code 1: x{199}…$"),
    "hanging": ("import time; time.sleep(60)", r"words: no answer within 1 s, and it was ended$"),
    "never reading": ("import time, sys; sys.stdin.close(); time.sleep(60)", r"no answer within 1 s"),
    "100 MB": ("import os\nwhile True: os.write(1, b'x' * 2**20)", r"it wrote more than 16 MB, and was ended$"),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("batch", [False, True])
def test_what_goes_wrong_is_one_line(fault: str, batch: bool) -> None:
    program, message = FAULTS[fault]
    if batch:
        message = {"nothing": "it ended while it was asked$", "never reading": "no answer within 1 s"}.get(
            fault, message
        )
        program = program.replace('{"text', '{"id": 1, "text').replace("'{}'", """'{"id": 1}'""")
    timeout = 1.0 if "no answer" in message else 20.0
    begin = time.monotonic()
    with pytest.raises(GenerationFailed, match=message) as raised:
        answer(command(program, batch=batch, timeout_seconds=timeout), ask("x" * 10**6))
    assert "\n" not in str(raised.value) and len(str(raised.value)) < 400
    assert time.monotonic() - begin < 15


@pytest.mark.parametrize("batch", [False, True])
def test_an_error_is_a_refusal(batch: bool) -> None:
    said = {"id": 1, "error": "too\nlong"}
    with pytest.raises(RequestRefused, match=r"^words: too long$"):
        answer(command(f"print({json.dumps(said)!r}, flush=True); import sys; sys.stdin.read()", batch=batch))


def test_exit_code_65_is_a_refusal() -> None:
    with pytest.raises(RequestRefused, match=r"exit code 65: 12 tokens too many$"):
        answer(command("import sys; sys.stderr.write('no\\n12 tokens too many\\n'); sys.exit(65)"))


def test_a_command_need_not_read_what_it_is_told() -> None:
    [completion] = answer(command("""import sys; sys.stdin.close(); print('{"text": "a b"}')"""), ask("x" * 10**6))
    assert completion.text == "a b"


FORKS = """
import os, sys, time
if os.fork() == 0:
    open(sys.argv[1], "w").write(str(os.getpid()))
    time.sleep(600)
while not os.path.exists(sys.argv[1]) or not os.path.getsize(sys.argv[1]):
    time.sleep(0.01)
"""


@pytest.mark.parametrize("end", ["""print('{"text": "a"}', flush=True)""", "time.sleep(600)"], ids=["answers", "hangs"])
def test_what_a_command_started_ends_with_it(end: str, tmp_path: Path) -> None:
    """The child holds the pipes open, too."""
    child = tmp_path / "child"
    backend = CliBackend.create("words", command=[sys.executable, "-c", FORKS + end, str(child)], timeout_seconds=3)
    begin = time.monotonic()
    if "print" in end:
        assert answer(backend)[0].text == "a"
    else:
        with pytest.raises(GenerationFailed, match="no answer within 3 s"):
            answer(backend)
    assert time.monotonic() - begin < 10
    assert gone(int(child.read_text()))


def gone(process: int) -> bool:
    """Whether a process is no more, or only waits to be read by its parent; it has a second for that."""
    for _ in range(100):
        try:
            state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.01)
    return False


def test_where_one_request_fails_the_others_are_ended(tmp_path: Path) -> None:
    where = tmp_path / "process"
    program = f"""
import json, os, sys, time
if "fail" in sys.stdin.read():
    while not os.path.exists({str(where)!r}) or not os.path.getsize({str(where)!r}):
        time.sleep(0.01)
    sys.exit(1)
open({str(where)!r}, "w").write(str(os.getpid()))
time.sleep(600)
"""
    begin = time.monotonic()
    with pytest.raises(GenerationFailed, match="exit code 1"):
        answer(command(program), ask("hang"), ask("fail"))
    assert time.monotonic() - begin < 30
    assert gone(int(where.read_text()))


@pytest.mark.parametrize("batch", [False, True])
def test_a_cancelled_request_leaves_nothing_behind(batch: bool, tmp_path: Path) -> None:
    where = tmp_path / "process"
    program = f"import os, time; open({str(where)!r}, 'w').write(str(os.getpid())); time.sleep(600)"

    async def cancel() -> None:
        backend = command(program, batch=batch)
        asking = asyncio.create_task(backend.generate([ask()]))
        while not where.exists() or not where.stat().st_size:  # noqa: ASYNC110 — it is another process
            await asyncio.sleep(0.01)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await backend.close()

    files = len(list(Path("/proc/self/fd").iterdir()))
    asyncio.run(cancel())
    assert gone(int(where.read_text()))
    assert len(list(Path("/proc/self/fd").iterdir())) <= files


def test_a_batch_answers_in_any_order_and_starts_again() -> None:
    """It answers two at a time, the second one first, and ends after four."""
    program = """
import json, sys
for _ in range(2):
    for line in reversed([sys.stdin.readline(), sys.stdin.readline()]):
        asked = json.loads(line)
        print(json.dumps({"id": asked["id"], "text": asked["messages"][0]["content"]}), flush=True)
"""

    async def twelve() -> list[str]:
        backend = command(program, batch=True)
        said = []
        for begin in range(0, 12, 4):
            completions = await backend.generate([ask(f"number {n}") for n in range(begin, begin + 4)])
            said += [completion.text for completion in completions]
            await asyncio.sleep(0.3)  # it has ended now
        await backend.close()
        return said

    assert asyncio.run(twelve()) == [f"number {n}" for n in range(12)]


def test_text_is_given_and_taken_as_it_is() -> None:
    backend = command("import sys; print(sys.stdin.read(), end='')", format="text")
    system, question = Message("system", "Be brief."), Message("user", "Who?")
    turns = (system, question, Message("assistant", "I."), Message("user", "Again?"))
    lone, chat = answer(backend, GenerationRequest((system, question), 400), GenerationRequest(turns, 400))
    assert lone.text == "Be brief.\n\nWho?"
    assert chat.text == "Be brief.\n\nUser:\nWho?\n\nAssistant:\nI.\n\nUser:\nAgain?\n\nAssistant:"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "cli: options.command: Field required"),
        ({"command": []}, "cli: options.command: Tuple should have at least 1 item"),
        ({"command": "sh -c x"}, "cli: options.command: Input should be a valid tuple"),
        ({"command": ["sh"], "formt": "text"}, "cli: options.formt: .* there are: command, format"),
        ({"command": ["sh"], "format": "text", "batch": True}, "options.batch: answers are told apart by JSON"),
        ({"command": ["sh"], "timeout_seconds": 0}, "options.timeout_seconds: .*greater than 0"),
        ({"command": ["sh"], "base_url": "http://x"}, "cli: options.base_url: Extra inputs"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        CliBackend.create("words", **options)


def test_a_missing_program_is_refused_at_once() -> None:
    with pytest.raises(ModelNotFound, match="there is no program 'no-such-program'"):
        CliBackend.create("words", command=["no-such-program"])


def test_a_program_that_can_not_be_started_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "program"
    path.write_text("no script")
    path.chmod(0o755)
    with pytest.raises(GenerationFailed, match="can't be started: Exec format error"):
        answer(CliBackend.create("words", command=[str(path)]))
