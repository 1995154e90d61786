"""The nouns that travel between the rooms: targets, findings, alerts, and their one JSON form."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from monitor.errors import Needs
from monitor.kinds import POSTGRES, Gauges
from monitor.proof import Cure, Outcome, Proof, Sign

Scalar: TypeAlias = str | int | float | bool | None
Evidence: TypeAlias = Mapping[str, Scalar | Sequence[Scalar]]


class Severity(StrEnum):
    """How much a finding matters; `rank` orders them."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for info, 1 for warning, 2 for critical."""
        return ("info", "warning", "critical").index(self._value_)


class Area(StrEnum):
    """The part of the architect's review a rule belongs to."""

    PERFORMANCE = "performance"
    CAPACITY = "capacity"
    SCHEMA = "schema"
    AUTH = "auth"
    SECURITY = "security"
    MIGRATION = "migration"
    OPERATIONS = "operations"


class State(StrEnum):
    """Where an alert stands; suspects are pending until they have stood for the rule's `hold`."""

    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"


class Result(StrEnum):
    """How one run of a probe ended."""

    OK = "ok"
    SKIPPED = "skipped"
    DENIED = "denied"
    TIMEOUT = "timeout"
    BROKEN = "broken"
    UNREACHABLE = "unreachable"


class Confidence(StrEnum):
    """How sure a finding is of itself."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Secret:
    """A text that must not be shown: its repr and str are stars; `reveal` gives it to who needs it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Give the text itself."""
        return self._text

    def __repr__(self) -> str:
        """Give stars."""
        return "Secret('***')"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        """Two secrets are equal when their texts are."""
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        """Hash as the text does."""
        return hash(self._text)


@dataclass(frozen=True, kw_only=True)
class Server:
    """One server endpoint of the configuration; its DSN (of an application's pool, its URL) is held apart."""

    name: str
    dsn: Secret = field(repr=False)
    kind: str = POSTGRES
    """What it is: `postgres`, `pgbouncer` or `app_pool`."""
    gauges: Gauges | None = None
    """Of an application's pool, where its numbers stand."""
    labels: Mapping[str, str] = field(default_factory=dict)
    replica_of: str | None = None
    """The server that it is a standby of, by its name here."""
    serves: str | None = None
    """Of a pooler, the server that it stands before, by its name here."""
    through_pooler: str = "auto"
    """"true", "false", or "auto": found out from a refused startup parameter."""
    include: tuple[str, ...] = (".*",)
    exclude: tuple[str, ...] = ()
    only: str | None = None
    """The one database to look at, where a DSN of the command line names it."""

    def wants(self, database: str) -> bool:
        """Tell whether a database is to be looked at."""
        if self.only is not None:
            return database == self.only
        included = any(re.fullmatch(pattern, database, re.DOTALL) for pattern in self.include)
        return included and not any(re.fullmatch(pattern, database, re.DOTALL) for pattern in self.exclude)


@dataclass(frozen=True, slots=True)
class Target:
    """One database of a server, or with database None the server as a whole."""

    server: str
    database: str | None = None

    def __str__(self) -> str:
        """Give `server/database`, or `server` alone."""
        return self.server if self.database is None else f"{self.server}/{self.database}"


@dataclass(frozen=True, slots=True)
class Object:
    """What a finding is about; `kind` is one of the words of CONTRACT §Objects."""

    kind: str
    schema: str | None = None
    name: str | None = None
    column: str | None = None
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Remedy:
    """How to mend and how to undo: complete statements, run one by one in autocommit; `caution` is for a person."""

    sql: tuple[str, ...] = ()
    rollback: tuple[str, ...] = ()
    caution: str = ""
    sign: Sign | None = None
    """What the catalogue shows once it was applied; None: nothing that could be looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A statement about one object; what is measured stands in `evidence`, never in the fingerprint."""

    target: Target
    rule: str
    area: Area
    severity: Severity
    subject: str
    object: Object
    title: str
    summary: str
    impact: str
    evidence: Evidence
    remedy: Remedy = Remedy()
    confidence: Confidence = Confidence.HIGH
    proof: Proof | None = None
    """The number that is read again once the remedy's sign stands."""
    missing: str = ""
    """Why it is lean, that is without object, summary, impact, evidence, remedy, proof and keys; "": it is whole."""
    keys: tuple[str, ...] = field(default=(), repr=False, compare=False)
    """Uuids of a few of the rows it counts: for who signed in alone, and so in no form that others are sent."""
    fingerprint: str = field(init=False, repr=False, compare=False)
    """Sixteen hex digits of server, database, rule and subject: the same whatever the numbers are."""

    def __post_init__(self) -> None:
        text = "\x00".join((self.target.server, self.target.database or "", self.rule, self.subject))
        object.__setattr__(self, "fingerprint", hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:16])


@dataclass(frozen=True, kw_only=True)
class NoVerdict:
    """The third answer: a rule could not say. `needs` None means the rule does not apply here at all."""

    reason: str
    needs: Needs | None
    subject: str | None = None
    """The one object it could not judge; None: it could judge nothing of this target."""

    @property
    def applies(self) -> bool:
        """Tell whether the rule has a subject here."""
        return self.needs is not None


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What one rule said of one target at one moment, with the rule's patience beside it."""

    rule: str
    source: Target
    hold: float
    keep: float
    verdicts: tuple[Finding | NoVerdict, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The verdicts that accuse."""
        return tuple(verdict for verdict in self.verdicts if isinstance(verdict, Finding))

    @property
    def no_verdicts(self) -> tuple[NoVerdict, ...]:
        """The verdicts that could not say."""
        return tuple(verdict for verdict in self.verdicts if isinstance(verdict, NoVerdict))


@dataclass(frozen=True, kw_only=True)
class Ack:
    """Somebody has taken note of an alert: no repeats until it is over, or worse than `severity`."""

    author: str
    comment: str
    at: datetime
    severity: Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """A finding followed through time; times are UTC.

    An alert that was over and is suspected again keeps `fired_at` and `ends_at` of the time before until it fires.
    """

    finding: Finding
    source: Target
    state: State
    starts_at: datetime
    last_seen: datetime
    fired_at: datetime | None = None
    ends_at: datetime | None = None
    occurrences: int = 1
    lower_since: datetime | None = None
    """Since when it is seen less severe than it is told: `finding.severity` follows only after a while."""
    acked: Ack | None = None
    ended_by: str = ""
    """What ended it, in words: "not seen any more", "its database is gone" …"""
    cure: Cure | None = None
    """The remedy that was applied since it fires, or that ended it."""
    moved_from: str = ""
    """The server it stood on before a failover."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """The target's labels of the configuration; put on when it goes out to people."""

    @property
    def status(self) -> str:
        """What receivers ought to have heard: `firing:SEVERITY` or `resolved`; "" while pending."""
        if self.state is State.FIRING:
            return f"firing:{self.finding.severity}"
        return "" if self.state is State.PENDING else "resolved"

    @property
    def outcome(self) -> Outcome | None:
        """What the remedy that ended it did."""
        return self.cure.outcome if self.cure else None

    @property
    def all_labels(self) -> Mapping[str, str]:
        """Give the labels that router, silences, inhibition and Alertmanager match on (CONTRACT §Alerts)."""
        finding = self.finding
        return {
            **self.labels,
            "alertname": finding.rule,
            "rule": finding.rule,
            "target": finding.target.server,
            "database": finding.target.database or "",
            "area": finding.area.value,
            "severity": finding.severity.value,
            "subject": finding.subject,
            "fingerprint": finding.fingerprint,
        }


def as_document(finding: Finding) -> dict[str, object]:
    """Give the one JSON form of a finding, used by report, API and webhook (CONTRACT §Snapshot JSON); without keys."""
    about, mend = finding.object, finding.remedy
    return {
        "fingerprint": finding.fingerprint,
        "rule": finding.rule,
        "area": finding.area.value,
        "severity": finding.severity.value,
        "target": finding.target.server,
        "database": finding.target.database,
        "subject": finding.subject,
        "object": {**asdict(about), "columns": list(about.columns)},
        "title": finding.title,
        "summary": finding.summary,
        "impact": finding.impact,
        "evidence": dict(finding.evidence),
        "remedy": {"sql": list(mend.sql), "rollback": list(mend.rollback), "caution": mend.caution},
        "confidence": finding.confidence.value,
        **({"missing": finding.missing} if finding.missing else {}),
    }
