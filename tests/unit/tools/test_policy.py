"""Which limits hold, and when a call is one too many."""

import subprocess
import sys

import pytest

from agent0es.configuration import (
    Configuration,
    ToolsSettings,
    changed_configuration,
    load_configuration,
    parse_configuration,
)
from agent0es.errors import ConfigurationError
from agent0es.tools.policy import Rates, policy_of, why_not_allowed
from agent0es.tools.python import PythonTool
from agent0es.tools.shell import ShellTool

SETTINGS = ToolsSettings.model_validate(
    {
        "enabled": ["python", "math", "plan"],
        "timeout_seconds": 5,
        "of": {"python": {"timeout_seconds": 3, "allow": ["math"]}, "math": {"calls_per_attempt": 2}},
        "domains": {"code": {"python": {"timeout_seconds": 9}}},
    }
)


def test_the_nearest_setting_wins() -> None:
    assert policy_of(SETTINGS, "math", "code").limits.timeout_seconds == 5
    assert policy_of(SETTINGS, "python", "math").limits.timeout_seconds == 3
    in_code = policy_of(SETTINGS, "python", "code").limits
    assert (in_code.timeout_seconds, in_code.allow) == (9, ("math",))
    assert policy_of(SETTINGS, "math", "code").calls_per_attempt == 2


def test_the_whole_sections_counts_are_not_a_tools_own() -> None:
    settings = ToolsSettings(calls_per_attempt=1, calls_per_minute=7)
    policy = policy_of(settings, "python", "math")
    assert (policy.calls_per_attempt, policy.calls_per_minute) == (None, None)


def test_the_lists_of_what_is_allowed_come_from_the_configuration() -> None:
    settings = ToolsSettings(modules=("math",), commands=("cat",))
    assert policy_of(settings, "python", "math").limits.allow == ("math",)
    assert policy_of(settings, "shell", "math").limits.allow == ("cat",)
    assert policy_of(settings, "math", "math").limits.allow is None


def test_a_plans_steps_have_the_limits_of_their_tools() -> None:
    steps = policy_of(SETTINGS, "plan", "math").limits.steps
    assert {name: limits.timeout_seconds for name, limits in steps.items()} == {"python": 3, "math": 5}


@pytest.mark.parametrize(
    "change",
    [
        {"timeout_seconds": 6},
        {"memory_limit_mb": 100},
        {"output_limit_bytes": 100},
        {"modules": ("math",)},
        {"of": {"python": {"calls_per_attempt": 1}}},
        {"of": {"python": {"calls_per_minute": 1}}},
    ],
)
def test_the_hash_of_a_policy_is_that_of_everything_in_it(change: dict[str, object]) -> None:
    plain = policy_of(ToolsSettings(), "python", "math")
    assert plain.sha256 == policy_of(ToolsSettings(), "python", "logic").sha256
    assert plain.sha256 != policy_of(ToolsSettings.model_validate(change), "python", "math").sha256
    assert plain.sha256 != policy_of(ToolsSettings(), "math", "math").sha256


def test_rates_count_the_last_minute() -> None:
    now = 0.0
    rates = Rates(lambda: now)
    assert [rates.refusal("python", 3, 2) for _ in range(2)] == [None, None]
    assert rates.refusal("python", 3, 2) == "RateError: 2 calls of python a minute are allowed; try again in 60 s"
    assert rates.refusal("math", 3, None) is None
    refused = rates.refusal("math", 3, None)
    assert refused is not None and refused.startswith("RateError: 3 tool calls a minute")
    now = 60.0
    assert rates.refusal("python", 3, 2) is None


def test_a_deterministic_run_has_no_limit_that_depends_on_the_clock() -> None:
    for key in ("tools.calls_per_minute=3", "tools.of={math: {calls_per_minute: 3}}"):
        load_configuration(overrides=[key], environment={})
        with pytest.raises(ConfigurationError, match="depends on the clock"):
            load_configuration(overrides=[key, "execution.deterministic=true"], environment={})


def test_limits_for_what_nothing_registers_are_refused_unless_a_log_has_them() -> None:
    key = "tools.domains={math: {gone: {timeout_seconds: 2}}}"
    for read in (lambda: load_configuration(overrides=[key]), lambda: changed_configuration(Configuration(), [key])):
        with pytest.raises(ConfigurationError, match=r"tools\.domains\.math: no tool is called 'gone'"):
            read()
    parse_configuration({"tools": {"domains": {"math": {"gone": {"timeout_seconds": 2}}}}}, "run x")


def test_names_are_looked_up_without_importing_what_they_stand_for() -> None:
    program = (
        "import sys\nfrom agent0es.configuration import load_configuration\n"
        "load_configuration(overrides=['tools.domains.math.python.timeout_seconds=2'])\n"
        "print([name for name in ('sympy', 'numpy', 'torch', 'agent0es.tools') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout == b"[]\n"


def test_a_configuration_with_limits_reads_back_from_the_log() -> None:
    configuration = Configuration(tools=SETTINGS)
    assert Configuration.model_validate(configuration.model_dump(mode="json")) == configuration


def test_a_run_is_refused_what_a_tool_does_not_have() -> None:
    settings = ToolsSettings.model_validate(
        {"of": {"python": {"allow": ["mailbox"]}, "shell": {"allow": ["ls", "rm"]}}}
    )
    assert why_not_allowed(settings, {"python": PythonTool}) is None
    said = why_not_allowed(settings, {"python": PythonTool, "shell": ShellTool})
    assert said is not None and said.startswith("tools.of.shell.allow: shell has no 'rm'; there are: cat, cut, ")
