"""Every known attack is denied in every tier, as root and as an ordinary user, and leaves nothing.

An attack that would fail anyway proves nothing: each has a canary, the same program in the unsafe tier or in a plain
process, which must succeed, or says why it has none.
"""

import asyncio
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from agent0es.sandbox import SandboxCommand, TierName, open_sandbox, probe
from agent0es.sandbox.attacks import ATTACKS, Attack
from agent0es.sandbox.trial import Outcome, Scene, run_attack, run_attacks, run_canary
from tests.support import ordinary_user

TIERS: list[TierName] = [name for name in ("full", "kernel") if probe((name,)).tier is not None]  # type: ignore[misc]
BY_NAME = {attack.name: attack for attack in ATTACKS}
ROWS = {*range(1, 46), *range(47, 51)} - {44}
"""Of the design's list of escapes; 44 and 46 are for the tools to deny."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What all attacks together came to, and what this process was like before and afterwards."""

    outcomes: dict[str, Outcome]
    before: tuple[object, ...]
    after: tuple[object, ...]


def state() -> tuple[object, ...]:
    """Descriptors, children, environment and limits of this process."""
    import resource

    below = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        below += [stat.parent.name] if fields[1] == str(os.getpid()) else []
    limits = [resource.getrlimit(which) for which in (resource.RLIMIT_CPU, resource.RLIMIT_AS, resource.RLIMIT_NOFILE)]
    return (
        len(list(Path("/proc/self/fd").iterdir())),
        sorted(below),
        dict(os.environ),
        limits,
        os.getpriority(os.PRIO_PROCESS, 0),
    )


@pytest.fixture(scope="module", params=TIERS)
def trial(request: pytest.FixtureRequest) -> Trial:
    async def everything() -> dict[str, Outcome]:
        return {outcome.attack.name: outcome async for outcome in run_attacks(request.param)}

    before = state()
    outcomes = asyncio.run(everything())
    return Trial(outcomes, before, state())


@pytest.mark.parametrize("name", BY_NAME)
def test_denied(trial: Trial, name: str) -> None:
    outcome = trial.outcomes[name]
    assert (outcome.verdict, outcome.detail) == ("denied", outcome.detail)


def test_what_was_refused_is_named(trial: Trial) -> None:
    for name, outcome in trial.outcomes.items():
        if name.startswith("system call "):
            assert name in outcome.denied
    sockets = ("unix socket", "abstract unix socket", "netlink", "datagrams to a unix socket without connect")
    for name in ("TCP to this machine", "UDP to this machine", *sockets):
        assert trial.outcomes[name].denied == ("network",)
    assert trial.outcomes["800 MB in four children"].denied == ("limit: memory",)
    assert "system call unshare" in trial.outcomes["user namespace"].denied


def test_this_process_is_unharmed(trial: Trial) -> None:
    assert trial.after == trial.before


def test_attacks_have_names_and_rows_of_their_own() -> None:
    assert len(BY_NAME) == len(ATTACKS)
    covered: set[int] = set()
    for attack in ATTACKS:
        bounds = [int(number) for number in re.findall(r"\d+", attack.row)]
        covered |= set(range(bounds[0], bounds[-1] + 1)) if bounds else set()
    assert covered == ROWS
    assert sum(not attack.row for attack in ATTACKS) >= 20


@pytest.mark.skipif(bool(ordinary_user.why_not()), reason=ordinary_user.why_not() or "-")
@pytest.mark.parametrize("tier", TIERS)
def test_denied_to_an_ordinary_user(tier: TierName) -> None:
    done = ordinary_user.run("-m", "agent0es", "sandbox", "test", "--tier", tier, "--json")
    outcomes = [json.loads(line) for line in done.stdout.splitlines()]

    assert [one for one in outcomes if one["outcome"] != "denied"] == [], done.stderr
    assert {one["tier"] for one in outcomes} == {tier}
    assert len(outcomes) == sum(tier in attack.tiers for attack in ATTACKS)
    assert done.returncode == 0


@pytest.fixture(scope="module")
def canaries() -> dict[str, bool]:
    """Which attacks succeed where nothing isolates."""

    async def unsafe(scene: Scene, attacks: list[Attack]) -> dict[str, bool]:
        async with open_sandbox("unsafe", places=2) as sandbox:
            return {attack.name: (await run_attack(sandbox, scene, attack)).verdict == "escaped" for attack in attacks}

    with Scene() as scene:
        found = asyncio.run(unsafe(scene, [attack for attack in ATTACKS if attack.canary == "unsafe"]))
        return found | {attack.name: run_canary(scene, attack) for attack in ATTACKS if attack.canary == "outside"}


@pytest.mark.parametrize("name", [attack.name for attack in ATTACKS if attack.canary != "none"])
def test_the_canary_succeeds(canaries: dict[str, bool], name: str) -> None:
    if BY_NAME[name].canary_needs_root and os.geteuid() != 0:
        pytest.skip("what it tries only root may do")
    assert canaries[name], f"{name!r} fails without a sandbox too, so that its denial proves nothing"


@pytest.mark.skipif("kernel" not in TIERS, reason="the kernel tier does not work here")
async def test_the_kernel_tier_shows_what_exists() -> None:
    """A limit that docs/security.md states: without namespaces, names can be asked for one by one."""
    program = (
        "import os, sys\npid, path, link = sys.stdin.read().split('\\n')\n"
        "print(os.path.exists(f'/proc/{pid}'), os.stat(path).st_size, os.readlink(link))"
    )
    stdin = f"{os.getpid()}\n/etc/passwd\n/etc/mtab".encode()
    async with open_sandbox("kernel", places=1) as sandbox:
        result = await sandbox.run(SandboxCommand(program=program, stdin=stdin))
    assert result.stdout.decode().split()[:2] == ["True", str(os.stat("/etc/passwd").st_size)]  # noqa: PTH116

    if "full" in TIERS:
        async with open_sandbox("full", places=1) as sandbox:
            result = await sandbox.run(SandboxCommand(program=program, stdin=stdin))
        assert b"FileNotFoundError" in result.stderr


def test_the_command_says_what_escaped() -> None:
    """In the unsafe tier, where reading a secret is no feat."""
    arguments = ["sandbox", "test", "--tier", "unsafe", "--attack", "read a secret file", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "agent0es", *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    [outcome] = [json.loads(line) for line in done.stdout.splitlines()]
    assert (outcome["attack"], outcome["outcome"]) == ("read a secret file", "escaped")
