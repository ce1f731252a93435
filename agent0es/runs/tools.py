"""The tools by hand: which there are, and one call as a run would make it. Nothing is logged."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent0es import bootstrap, plugins
from agent0es.errors import ConfigurationError
from agent0es.files import LARGEST_TEXT

if TYPE_CHECKING:
    from agent0es.configuration import Configuration
    from agent0es.tools import ToolResult
    from agent0es.tools.policy import Policy


def installed(configuration: "Configuration", domain: str | None = None) -> Iterator[dict[str, Any]]:
    """Every installed tool with the limits that hold in a task domain, by default the first that is practised.

    Raises ConfigurationError for a domain that is not there.
    """
    from agent0es.taskdomains import load_task_domain
    from agent0es.tools.policy import policy_of
    from agent0es.tools.registry import installed_tools

    chosen = _domain(configuration, domain)
    enabled = configuration.tools.enabled or load_task_domain(chosen).tools
    for name, tool in installed_tools().items():
        policy = policy_of(configuration.tools, name, chosen)
        yield {
            "tool": name,
            "enabled": name in enabled,
            **_limits(policy),
            "calls_per_attempt": policy.calls_per_attempt,
            "calls_per_minute": policy.calls_per_minute,
            "allow": policy.limits.allow,
            "policy_sha256": policy.sha256,
            "description": f"broken: {tool}" if isinstance(tool, Exception) else tool.description,
            "schema": {} if isinstance(tool, Exception) else dict(tool.schema),
        }


async def call_by_hand(
    configuration: "Configuration", name: str, text: str, files: Mapping[str, str], domain: str | None
) -> "tuple[Policy, ToolResult]":
    """One call of a tool, enabled or not, under the policy that holds in a task domain, and that policy.

    Raises ConfigurationError, SandboxUnavailable, or PluginFailed where the tool itself raises.
    """
    from agent0es.tools import load_tools
    from agent0es.tools.policy import policy_of, why_not_allowed

    policy = policy_of(configuration.tools, name, _domain(configuration, domain))
    async with bootstrap.sandbox_of(configuration) as sandbox:
        tools = load_tools([name], sandbox)
        if why := why_not_allowed(configuration.tools, tools):
            raise ConfigurationError(why)
        [tool] = tools.values()
        with plugins.answering(plugins.TOOLS, name):
            return policy, await tool.run(text, policy.limits, files)


def described(policy: "Policy", result: "ToolResult") -> dict[str, Any]:
    """A call as values of JSON: what an audit would show of it."""
    return {
        "tool": policy.tool,
        "status": result.status,
        "tier": result.tier,
        "output": result.output,
        "exit_code": result.exit_code,
        "denied": list(result.denied),
        "stdout": result.output if result.stdout is None and result.status == "ok" else result.stdout,
        "stdout_sha256": result.stdout_sha256,
        "stderr": result.stderr,
        "stderr_sha256": result.stderr_sha256,
        "written": [{"path": file.path, "bytes": file.bytes, "sha256": file.sha256} for file in result.written],
        "files": None if result.files is None else dict(result.files),
        "policy_sha256": policy.sha256,
        "limits": _limits(policy),
        "resources": {
            "wall_seconds": round(result.wall_seconds, 4),
            "cpu_seconds": round(result.cpu_seconds, 4),
            "peak_memory_mb": round(result.peak_memory_mb, 1),
            "stdout_bytes": result.stdout_bytes,
            "stderr_bytes": result.stderr_bytes,
        },
    }


def files_in(folder: Path) -> dict[str, str]:
    """The text files of a folder, by relative path. Links are not followed. Raises ConfigurationError."""
    if not folder.is_dir():
        raise ConfigurationError(f"{folder}: is not a folder; name one with --dir")
    found = {}
    room = LARGEST_TEXT
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            try:
                room -= path.stat().st_size
                if room < 0:
                    raise ConfigurationError(
                        f"{folder}: holds more than {LARGEST_TEXT >> 20} MB; name a smaller folder"
                    )
                found[path.relative_to(folder).as_posix()] = path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue
            except OSError as error:
                raise ConfigurationError(f"{path}: {error.strerror or error}; leave it out of --dir") from None
    return found


def _domain(configuration: "Configuration", domain: str | None) -> str:
    """The task domain, which is there, or the first that is practised. Raises ConfigurationError."""
    if domain is None:
        return configuration.curriculum.domains[0]
    return plugins.find(plugins.TASK_DOMAINS, domain).name


def _limits(policy: "Policy") -> dict[str, Any]:
    limits = policy.limits
    return {
        "timeout_seconds": limits.timeout_seconds,
        "memory_limit_mb": limits.memory_limit_mb,
        "output_limit_bytes": limits.output_limit_bytes,
    }
