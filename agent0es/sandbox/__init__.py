"""Isolation for code that a model wrote: commands go in, data comes out. Nothing runs unisolated unless told to."""

from agent0es.sandbox.base import Sandbox, SandboxCommand, SandboxLost, SandboxResult, WrittenFile
from agent0es.sandbox.isolated import IsolatedSandbox, open_sandbox
from agent0es.sandbox.limits import SandboxLimits
from agent0es.sandbox.probing import Finding, Report, probe
from agent0es.sandbox.tiers import TierName

__all__ = [
    "Finding",
    "IsolatedSandbox",
    "Report",
    "Sandbox",
    "SandboxCommand",
    "SandboxLimits",
    "SandboxLost",
    "SandboxResult",
    "TierName",
    "WrittenFile",
    "open_sandbox",
    "probe",
]
