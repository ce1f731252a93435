"""Every error that a user can meet.

Agent0Error
├── UserError              exit code 2: something the user can put right
│   ├── ConfigurationError   a key or value in the configuration
│   ├── StoreError           the store can't be read or written (disk full, read-only, corrupt)
│   │   ├── RunNotFound
│   │   ├── PositionNotFound  the run has no such position or time
│   │   └── RunInUse         another process drives this run
│   ├── ModelNotFound        weights are missing or are not what they should be
│   ├── NotRecorded          a recorded run has no answer to what a model is asked
│   ├── SandboxUnavailable   tools can't be isolated on this machine
│   ├── QueryError           the SQL that was given does not run
│   ├── UnknownName          the run has no task, attempt, adapter or call of that name
│   └── RetractionError      there is nothing to retract, or nothing to rebuild
├── RewardError            a reward component gave what is no reward
├── LogError               the log refused an append
│   └── ConcurrencyError     somebody else appended to the stream first
└── TransientError         worth another try: the dispatcher repeats the handler
"""


class Agent0Error(Exception):
    """Base of all errors of this package. The message says what happened, where, and what to do."""


class UserError(Agent0Error):
    """Something the user can put right; the command line exits with 2."""


class ConfigurationError(UserError):
    """A key or a value in the configuration is wrong."""


class StoreError(UserError):
    """The store can't be read or written."""


class RunNotFound(StoreError):
    """No run of that name in the store."""


class PositionNotFound(StoreError):
    """The run's history has no such position or time."""


class RunInUse(StoreError):
    """Another live process drives this run."""


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
    """What was to be retracted is that already, or nothing has to be rebuilt."""


class RewardError(Agent0Error):
    """A reward component gave what is no number from 0 to 1."""


class LogError(Agent0Error):
    """The log refused an append."""


class ConcurrencyError(LogError):
    """Somebody else appended to the stream first."""


class TransientError(Agent0Error):
    """Worth another try."""
