"""`shell[…]`: a grammar and no shell. Rows 43 to 46 of the list of attacks are here."""

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent0es.configuration import SHELL_COMMANDS
from agent0es.tools import ToolLimits
from agent0es.tools.shell import Refused, ShellTool, parse
from tests.unit.tools.sandboxes import LIMITS, needs_sandbox, real

FILES = {"a.txt": "b\na\nc\na\n", "d/e.txt": "x,1\ny,2\n", "n.txt": "10\n9\n2\n", "empty": "", ".hidden": "h\n"}

SHOWN = [
    ("ls", "a.txt\nd\nempty\nn.txt"),
    ("ls -a d .", None),
    ("ls -l d", "       8 e.txt"),
    ("cat a.txt", "b\na\nc\na"),
    ("cat -n d/e.txt", "     1\tx,1\n     2\ty,2"),
    ("cat *.txt | wc -l", "7"),
    ("sort a.txt | uniq -c", "      2 a\n      1 b\n      1 c"),
    ("sort -u a.txt", "a\nb\nc"),
    ("sort -n n.txt | head -1", "2"),
    ("sort -t , -k2 -r d/e.txt", "y,2\nx,1"),
    ("cut -d , -f 2 d/e.txt", "1\n2"),
    ("cut -c 1 d/e.txt", "x\ny"),
    ("grep -n a a.txt", "2:a\n4:a"),
    ("grep -c a a.txt n.txt", "a.txt:2\nn.txt:0"),
    ("grep -rn x .", "d/e.txt:1:x,1"),
    ("grep -v a a.txt", "b\nc"),
    ("grep -F . d/e.txt | wc", None),
    ("grep -o '[0-9]' d/e.txt", "1\n2"),
    ("find . -name '*.txt' -type f", "./a.txt\n./d/e.txt\n./n.txt"),
    ("find d", "d\nd/e.txt"),
    ("find . -empty", "./empty"),
    ("head -n 2 a.txt", "b\na"),
    ("tail -1 n.txt", "2"),
    ("head -1 a.txt n.txt", "==> a.txt <==\nb\n\n==> n.txt <==\n10"),
    ("wc a.txt", "4 4 8 a.txt"),
    ("diff a.txt a.txt", "(no output)"),
    ("diff -q a.txt n.txt", "Files a.txt and n.txt differ"),
    ("uniq -d a.txt", "(no output)"),
    ("nl d/e.txt", "     1\tx,1\n     2\ty,2"),
    ("echo 'a b'  \"c|d\" e\\ f", "a b c|d e f"),
    ("echo a,b | tr , '\\n' | tail -n 1", "b"),
    ("echo abc | tr a-c A-C", "ABC"),
    ("echo aabb | tr -s a-b", "ab"),
    ("pwd", "."),
]

# What each would do in a real shell is in the canary below or in the comment.
DENIED = [
    ("find . -exec id ;", "shell syntax"),
    ("find . -exec id", "option -exec"),
    ("find . -delete", "option -delete"),
    ("find . -fprint x", "option -fprint"),
    ("awk 'BEGIN{system(\"id\")}'", "command awk"),
    ("sed -n '1e id' a.txt", "command sed"),
    ("tar --to-command=id -xf a", "command tar"),
    ("sort --compress-program=id a.txt", "option --compress-program=id"),
    ("split --filter=id a.txt", "command split"),
    ("xargs id", "command xargs"),
    ("env id", "command env"),
    ("make --eval 'x:;id'", "command make"),
    ("perl -e 'exec q(id)'", "command perl"),
    ("git -c alias.x=!id x", "command git"),
    ("git -c core.fsmonitor=id status", "command git"),
    ("git clone ext::id", "command git"),
    ("grep -O a.txt", "option -O"),
    ("grep -f /etc/passwd a.txt", "option -f"),
    ("date -f /etc/passwd", "command date"),
    ("sort -o /tmp/x a.txt", "option -o"),
    ("sort -T /tmp a.txt", "option -T"),
    ("dd of=/tmp/x", "command dd"),
    ("tee x", "command tee"),
    ("/bin/cat a.txt", "command /bin/cat"),
    ("./cat a.txt", "command ./cat"),
    ("PATH=. cat a.txt", "command PATH=."),
    ("BASH_ENV=x bash -c id", "command BASH_ENV=x"),
    ("echo $HOME", "shell syntax"),
    ('echo "$(id)"', "shell syntax"),
    ("echo `id`", "shell syntax"),
    ("cat a.txt; id", "shell syntax"),
    ("cat a.txt && id", "shell syntax"),
    ("cat a.txt\nid", "shell syntax"),
    ("cat < /etc/passwd", "shell syntax"),
    ("echo x > y", "shell syntax"),
    ("(id)", "shell syntax"),
    ("cat 'a", "shell syntax"),
    ("cat a | | cat", "shell syntax"),
    ("head -n x a.txt", "argument"),
    ("grep", "argument"),
    ("diff a.txt", "argument"),
    ("uniq a.txt out.txt", "argument"),
    ("cat --help", "option --help"),
    ("", "shell syntax"),
    (" | ".join(["cat"] * 9), "pipe"),
]


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    one = asyncio.new_event_loop()
    yield one
    one.close()


@pytest.fixture(scope="module")
def tool(loop: asyncio.AbstractEventLoop) -> Iterator[ShellTool]:
    sandbox = real()
    yield ShellTool(sandbox)
    loop.run_until_complete(sandbox.close())


@needs_sandbox
@pytest.mark.parametrize(("line", "output"), SHOWN)
def test_shows(loop: asyncio.AbstractEventLoop, tool: ShellTool, line: str, output: str | None) -> None:
    result = loop.run_until_complete(tool.run(line, LIMITS, FILES))
    assert result.status == "ok", result.output
    assert output is None or result.output == output
    assert result.files is None


@pytest.mark.parametrize(("line", "denied"), DENIED)
def test_denies_before_anything_is_started(line: str, denied: str) -> None:
    with pytest.raises(Refused) as refused:
        parse(line, SHELL_COMMANDS)
    assert refused.value.denied == denied


@needs_sandbox
@pytest.mark.parametrize(
    ("line", "status", "output"),
    [
        ("cat /etc/passwd", "denied", "/etc/passwd: outside the working directory"),
        ("cat d/../../x", "denied", "d/../../x: outside the working directory"),
        ("grep -r x /", "denied", "/: outside the working directory"),
        ("find ..", "denied", "..: outside the working directory"),
        ("cat -- -x", "error", "-x: no such file"),
        ("cat nope", "error", "nope: no such file"),
        ("cat d", "error", "d: is a folder"),
        ("cat *.pdf", "error", "*.pdf: nothing has such a name"),
        ("grep zzz a.txt", "error", "grep: nothing found"),
        ("grep '(' a.txt", "error", "grep: missing ), unterminated subpattern at position 0"),
        ("wc", "error", "no file is named, and nothing comes through a pipe"),
    ],
)
def test_fails_in_one_line(
    loop: asyncio.AbstractEventLoop, tool: ShellTool, line: str, status: str, output: str
) -> None:
    result = loop.run_until_complete(tool.run(line, LIMITS, FILES))
    assert (result.status, result.output) == (status, f"ShellError: {output}")


@needs_sandbox
def test_an_expression_that_takes_for_ever_is_stopped(loop: asyncio.AbstractEventLoop, tool: ShellTool) -> None:
    files = {"a": "a" * 40 + "\n"}
    result = loop.run_until_complete(tool.run("grep '(a*)*b' a", ToolLimits(timeout_seconds=1), files))
    assert result.status == "timeout"


def test_a_list_of_ones_own_is_narrower_and_never_wider() -> None:
    assert parse("cat x", ("cat",))[0].command == "cat"
    for command in ("ls", "sed"):
        with pytest.raises(Refused):
            parse(command, ("cat", "sed"))


@given(
    st.text(max_size=60)
    | st.lists(st.sampled_from(["cat", "-n", "'", '"', "|", "\\", " ", "a", "--", "-", "find"])).map("".join)
)
def test_a_line_is_read_or_refused(line: str) -> None:
    try:
        stages = parse(line, SHELL_COMMANDS)
    except Refused as refused:
        assert refused.line and refused.denied.isascii()
    else:
        assert all(stage.command in SHELL_COMMANDS for stage in stages)


@pytest.mark.parametrize(
    ("line", "sign"),
    [
        ("find . -maxdepth 0 -exec echo pwned ;", "pwned"),
        ('awk BEGIN{system("echo\\ pwned")}', "pwned"),
        ("env echo pwned", "pwned"),
        ("sort -o written a.txt", None),
    ],
)
def test_canary_the_real_commands_do_it(tmp_path: Path, line: str, sign: str | None) -> None:
    """Without the grammar the same words run programs and write files: so the tests above can fail."""
    (tmp_path / "a.txt").write_text("x\n")
    words = line.replace("\\ ", "\0").split(" ")
    done = subprocess.run(
        [word.replace("\0", " ") for word in words], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert sign is None or sign in done.stdout
    assert sign is not None or (tmp_path / "written").exists()
    with pytest.raises(Refused):
        parse(line.replace("\\ ", " "), SHELL_COMMANDS)
