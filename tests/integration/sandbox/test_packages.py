"""What can be imported inside, in each tier: what lies in the list works there, and nothing beside it is there."""

import importlib.util

import pytest

from agent0es.sandbox import SandboxCommand, SandboxLimits, TierName, open_sandbox, probe

WORKING: list[TierName] = [name for name in ("full", "kernel") if probe((name,)).tier is not None]  # type: ignore[misc]
pytestmark = pytest.mark.skipif(not WORKING, reason=probe().detail)

MATH_VERIFY = """
from importlib.metadata import PackageNotFoundError, distributions, version
from math_verify import parse, verify
def same(one, other):
    one, other = (parse(text, parsing_timeout=None) for text in (one, other))
    return verify(one, other, timeout_seconds=None)
print(same(r"$\\frac{1}{2}$", "0.5"), same(r"$\\sqrt{8}$", r"$2\\sqrt{2}$"), same(r"$\\frac{1}{2}$", "0.6"))
print([each.metadata["Name"] for each in distributions()])
for name in ("antlr4", "antlr4-python3-runtime-4", "pydantic", "agent0es"):
    try:
        print(name, version(name))
    except PackageNotFoundError:
        pass
"""


@pytest.mark.skipif(importlib.util.find_spec("math_verify") is None, reason="math_verify is not installed")
@pytest.mark.parametrize("tier", WORKING)
async def test_math_verify_runs_inside(tier: TierName) -> None:
    """Its parser asks for the version of ANTLR's runtime when it is imported."""
    async with open_sandbox(tier, places=1) as sandbox:
        result = await sandbox.run(SandboxCommand(program=MATH_VERIFY, limits=SandboxLimits(timeout_seconds=30)))
    assert result.stdout.decode().splitlines() == ["True True False", "['antlr4-python3-runtime']"], result.stderr


TIME_ZONES = """
import datetime, zoneinfo
def offset():
    return zoneinfo.ZoneInfo("Europe/Berlin").utcoffset(datetime.datetime(2024, 7, 1))
print(offset())
zoneinfo.reset_tzpath(to=()); zoneinfo.ZoneInfo.clear_cache()
print(offset())
"""


@pytest.mark.skipif(importlib.util.find_spec("tzdata") is None, reason="tzdata is not installed")
@pytest.mark.parametrize("tier", WORKING)
async def test_time_zones_are_the_systems_or_those_of_the_package_tzdata(tier: TierName) -> None:
    async with open_sandbox(tier, places=1) as sandbox:
        result = await sandbox.run(SandboxCommand(program=TIME_ZONES))
    assert result.stdout == b"2:00:00\n2:00:00\n", result.stderr
