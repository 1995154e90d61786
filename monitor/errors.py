"""Every failure the project raises on purpose.

MonitorError
├── UsageError              the command line asks for something that cannot be            exit 2
├── ConfigError             one mistake in a configuration file, with its place           exit 2
├── ConfigErrors            all mistakes of a configuration at once                       exit 2
├── TargetError             a server could not be asked                                   exit 3
│   ├── TargetUnreachable   nobody answers, or it refuses the connection
│   ├── TargetDenied        it answers, but not to us: names the missing GRANT
│   └── TargetUnsupported   it speaks in a way we cannot watch (statement pooling)
├── ProbeError              one probe on one target has no answer
│   ├── ProbeSkipped        something it needs is not there
│   └── ProbeTimeout        it ran out of its time, or would have waited for a lock
├── DeliveryError           a receiver did not take a message; says whether a retry makes sense
├── StoreError              the state store cannot be read or written
├── EmbeddedError           our own embedded PostgreSQL does not run
└── PlannerError            no planner can be asked what it would do

A message reads `where: what; how to mend` and never holds a DSN, a password, a literal or a row's value.
"""

from enum import StrEnum


class Needs(StrEnum):
    """What is missing when something could not be evaluated (the words of the snapshot JSON)."""

    RIGHTS = "rights"
    HISTORY = "history"
    TIME = "time"
    SETTING = "setting"
    EXTENSION = "extension"
    REPAIR = "repair"


class MonitorError(Exception):
    """Base of all failures raised on purpose; its text is for people."""


class UsageError(MonitorError):
    """The command line asks for something that cannot be."""


class ConfigError(MonitorError):
    """One mistake in a configuration file: place (line 0: the file as a whole), problem and remedy."""

    def __init__(self, file: str, line: int, key: str, problem: str, remedy: str = "") -> None:
        self.file, self.line, self.key, self.problem, self.remedy = file, line, key, problem, remedy
        super().__init__(file, line, key, problem, remedy)

    def __str__(self) -> str:
        """Give `file:line: key.path: problem; remedy`."""
        place = f"{self.file}:{self.line}" if self.line else self.file
        where = f"{place}: {self.key}" if self.key else place
        return f"{where}: {self.problem}" + (f"; {self.remedy}" if self.remedy else "")


class ConfigErrors(MonitorError):
    """All mistakes of a configuration at once, in the order of their lines."""

    def __init__(self, errors: list[ConfigError]) -> None:
        self.errors = tuple(sorted(errors, key=lambda error: (error.file, error.line)))
        super().__init__("\n".join(str(error) for error in self.errors))


class TargetError(MonitorError):
    """A server could not be asked."""


class TargetUnreachable(TargetError):
    """Nobody answers, or the server refuses the connection."""


class TargetDenied(TargetError):
    """The server answers, but not to us; the message names the missing right."""


class TargetUnsupported(TargetError):
    """The server, or the pooler before it, speaks in a way we cannot watch."""


class ProbeError(MonitorError):
    """One probe on one target has no answer."""


class ProbeSkipped(ProbeError):
    """Something the probe needs is not there; `needs` None means its subject does not exist at all."""

    def __init__(self, reason: str, needs: Needs | None) -> None:
        self.needs = needs
        super().__init__(reason)


class ProbeTimeout(ProbeError):
    """The probe ran out of its time, or would have waited for a lock."""


class DeliveryError(MonitorError):
    """A receiver did not take a message; `retryable` says whether a second try makes sense."""

    def __init__(self, message: str, *, retryable: bool, retry_after: float | None = None) -> None:
        self.retryable = retryable
        self.retry_after = retry_after
        super().__init__(message)


class StoreError(MonitorError):
    """The state store cannot be read or written."""


class EmbeddedError(MonitorError):
    """Our own embedded PostgreSQL does not start or run."""


class PlannerError(MonitorError):
    """No planner can be asked what it would do with an index that is not there; `needs` says what is missing."""

    def __init__(self, reason: str, needs: Needs = Needs.REPAIR) -> None:
        self.needs = needs
        super().__init__(reason)
