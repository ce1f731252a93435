"""Every error that a user can meet.

Agent0Error
├── UserError              exit code 2: something the user can fix
│   ├── ConfigurationError   a key or value in the configuration
│   │   └── NotInstalled      it names a part that needs a library which is not installed
│   ├── StoreError           the store can't be read or written (disk full, read-only, corrupt)
│   │   ├── RunNotFound
│   │   ├── PositionNotFound  the run has no such position or time
│   │   ├── RunInUse         another process drives this run
│   │   └── RunNotDriven     no process of this machine drives this run
│   ├── ModelNotFound        weights are missing or are not what they should be
│   ├── models.ModelUnavailable  a model's server answers nobody: wrong key, no budget, gone
│   ├── NotRecorded          a recorded run has no answer to what a model is asked
│   ├── SandboxUnavailable   tools can't be isolated on this machine
│   ├── QueryError           the SQL that was given does not run
│   ├── UnknownName          the run has no task, attempt, adapter or call of that name
│   ├── RetractionError      there is nothing to retract, or nothing to rebuild
│   └── TrainingRefused      an adapter that can't be asked for
├── RewardError            a reward component gave an invalid value
├── PluginFailed           a plug-in's own code raised
├── LogError               the log refused an append
│   └── ConcurrencyError     somebody else appended to the stream first
└── TransientError         worth another try: the attempt, or what else failed, is retried
    └── sandbox.SandboxLost  the sandbox's worker was killed or does not answer
"""

import shlex
from collections.abc import Mapping, Sequence
from types import MappingProxyType

LONGEST_NAME = 200
"""Characters of a name that others are compared with: a complete file that was pasted in is like none."""


class Agent0Error(Exception):
    """Base of all errors of this package. The message says what happened, where, and what to do.

    `see` are the words of a command that helps, e.g. ("runs",); the command line adds the store in use to them.
    """

    measured: Mapping[str, int | float | str | bool] = MappingProxyType({})
    """How it went, for the meta of the event that tells of it."""

    def __init__(self, message: str = "", *, see: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.see = tuple(see)

    def __str__(self) -> str:
        message = super().__str__()
        return f"{message}: {shlex.join(('agent0es', *self.see))}" if self.see else message


class UserError(Agent0Error):
    """Something the user can fix; the command line exits with 2."""


class ConfigurationError(UserError):
    """A key or a value in the configuration is wrong."""


class NotInstalled(ConfigurationError):
    """A part that needs a library which is an extra, and not installed; the message says how to install it."""


class StoreError(UserError):
    """The store can't be read or written."""


class RunNotFound(StoreError):
    """No run of that name in the store."""


class PositionNotFound(StoreError):
    """The run's history has no such position or time."""


class RunInUse(StoreError):
    """Another live process drives this run."""


class RunNotDriven(StoreError):
    """No process that could be told to stop drives this run."""


class ModelNotFound(UserError):
    """Model weights are missing, or their hash is not the published one."""


class NotRecorded(UserError):
    """A recorded run is asked for an answer that it does not hold."""


class SandboxUnavailable(UserError):
    """Tools can't be isolated on this machine, so none is run."""


class QueryError(UserError):
    """The SQL that was given does not run."""


class UnknownName(UserError):
    """The run has no task, attempt, adapter or call of that name."""


class RetractionError(UserError):
    """It is retracted already, or there is nothing to rebuild."""


class TrainingRefused(UserError):
    """No adapter of this name can be asked for, or not yet."""


class RewardError(Agent0Error):
    """A reward component gave something other than a number from 0 to 1."""


class PluginFailed(Agent0Error):
    """The code of a plug-in raised what it should not."""


class LogError(Agent0Error):
    """The log refused an append."""


class ConcurrencyError(LogError):
    """Somebody else appended to the stream first."""


class TransientError(Agent0Error):
    """Worth another try."""


def nearest(wanted: str, known: Sequence[str], most: int = 3, otherwise: str | None = None) -> str:
    """What an error says about known names: the one that was probably meant, or else `otherwise`, or the last ones."""
    from difflib import get_close_matches  # an import that only errors need

    near = get_close_matches(wanted[:LONGEST_NAME], known, n=most)
    if near:
        return f"the nearest {'is' if len(near) == 1 else 'are'} {', '.join(near)}"
    if otherwise:
        return otherwise
    if len(known) > most:
        return f"the latest are {', '.join(known[-most:])}"
    return f"there {'is' if len(known) == 1 else 'are'} {', '.join(known)}" if known else "there is none"
