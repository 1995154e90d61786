"""What is remembered of sampled statements: in how many forms each came, from whom; and texts shaped like attacks.

A statement (by database, role and query_id) keeps salted hashes of its constants, a bounded number, for an hour; the
text itself is gone once it is digested. A statement with parameters alone has one form, whatever its values.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Protocol, TypeAlias, TypeVar

from monitor.probe import Attack, Row, Spelling, attack, read_statement, same_text, spelling, statement

Place: TypeAlias = tuple[str, str]
"""A database and a role."""

FORMS = 32
"""Different constants that are kept of one statement: more would prove nothing more."""
ATTACKS = 200
NAMES = 10
TEXTS = 1000
PURGE_SECONDS = 60.0


class Seen(Protocol):
    """What is forgotten by time."""

    seen_at: float


S = TypeVar("S", bound=Seen)
K = TypeVar("K")
V = TypeVar("V")


class Sent(NamedTuple):
    """When a set of constants was seen last, of which application, and how often."""

    seen_at: float
    sender: str
    times: int


@dataclass(kw_only=True)
class Form:
    """One statement of one role."""

    seen_at: float
    superuser: bool
    own: bool
    label: str = ""
    """Its fingerprint, found out when its constants were seen to vary."""
    literal: Counter[str] = field(default_factory=Counter)
    """How often each application was seen to send it with constants."""
    bound: Counter[str] = field(default_factory=Counter)
    """The same with parameters."""
    vectors: dict[int, Sent] = field(default_factory=dict)
    """Each set of constants."""
    kinds: set[str] = field(default_factory=set)
    takes: int | None = None
    """How many different ones it takes, of those that were seen to vary; None: none was."""
    first: Mapping[int, int] | None = None
    """The constants it came with first."""
    row: Row | None = None
    """It as a row, until it changes: most do not from sample to sample."""


@dataclass(kw_only=True)
class Incident:
    """Texts of one shape by one role."""

    first_at: float
    seen_at: float
    superuser: bool
    own: bool
    times: Counter[str] = field(default_factory=Counter)
    """By application."""
    labels: dict[str, None] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Digest:
    """All that may be known of a text."""

    spelling: Spelling | None
    """None: no statement on rows, or several."""
    shape: Attack | None
    cut: bool = False


class Forms:
    """One server's memory of sampled statements."""

    def __init__(self) -> None:
        self.before: datetime | None = None
        """When the last sample was taken, by the server's clock."""
        self.samples = 0
        """How many samples were taken: few can show little."""
        self._now = 0.0
        self._purged_at = 0.0
        self._remember = 3600.0
        self._most = 500
        self._forms: dict[tuple[Place, object], Form] = {}
        self._incidents: dict[tuple[Place, Attack], Incident] = {}
        self._digests: dict[bytes, Digest] = {}

    def begin(self, now: object, *, remember: float, most: int) -> None:
        """Begin a sample; forget what is too old."""
        self.samples += 1
        if isinstance(now, datetime):
            self.before, self._now = now, now.timestamp()
        self._remember, self._most = remember, most
        if self._now - self._purged_at >= min(PURGE_SECONDS, remember / 2):
            self._purge()

    def take(self, row: Row, *, cut_at: int) -> Row:
        """Digest one session's text; give the row without it, but with what was found."""
        text = row["text"]
        shape: Attack | None = None
        kinds: tuple[str, ...] = ()
        if isinstance(text, bytes) and text:
            cut = len(text) >= cut_at
            known = self._forms.get(_key(row))
            full = known is not None and len(known.vectors) >= FORMS
            digest = digested(text, cut=cut, spelled=False) if full else self._digest(text, cut=cut)
            shape = digest.shape
            kinds = self._note(row, digest, text, known)
        return {**without(row), "classes": kinds, "attack": shape.value if shape else None}

    def shown(self) -> Iterator[tuple[tuple[object, ...], Row]]:
        """Give a row for each statement that gave values, and for each attack."""
        for ((database, role), query_id), form in self._forms.items():
            if form.row is None:
                form.row = _form_row(database, role, query_id, form)
            yield ("form", database, role, query_id), form.row
        for ((database, role), shape), each in self._incidents.items():
            yield ("attack", database, role, shape.value), self._incident_row(database, role, shape, each)

    def _incident_row(self, database: str, role: str, shape: Attack, each: Incident) -> Row:
        return {
            "database": database,
            "role": role,
            "superuser": each.superuser,
            "own": each.own,
            "shape": shape.value,
            "times": dict(each.times),
            "statements": tuple(each.labels),
            "first_seconds": self._now - each.first_at,
            "last_seconds": self._now - each.seen_at,
        }

    def _digest(self, text: bytes, *, cut: bool) -> Digest:
        """Read a text; one without constants is known by its hash when it comes again."""
        name = same_text(text)
        known = self._digests.pop(name, None) or digested(text, cut=cut)
        if known.spelling is None or known.spelling.vector is None:
            self._digests[name] = known
            _bound(self._digests, TEXTS)
        return known

    def _note(self, row: Row, digest: Digest, text: bytes, known: Form | None) -> tuple[str, ...]:
        """Remember what a text was like; give the classes of its constants."""
        sender, found = str(row["application"]), digest.spelling
        if digest.shape is not None:
            name = label(text, row["query_id"], cut=digest.cut)
            self._incident(row, (_key(row)[0], digest.shape), sender, name)
        if known is not None and len(known.vectors) >= FORMS:
            self._touch(row, known)
            _count(known.literal, sender)
            return tuple(sorted(known.kinds))
        if found is None:
            return ()
        if isinstance(row["query_id"], int) and (found.vector is not None or found.bound):
            form = known or Form(seen_at=self._now, superuser=bool(row["superuser"]), own=bool(row["own"]))
            self._touch(row, form)
            self._learn(form, found, sender)
            if not form.label and len(form.vectors) > 1:
                form.label = label(text, row["query_id"], cut=digest.cut)
        return found.kinds

    def _touch(self, row: Row, form: Form) -> None:
        form.seen_at, form.row = self._now, None
        self._forms.pop(_key(row), None)
        self._forms[_key(row)] = form
        _bound(self._forms, self._most)

    def _learn(self, form: Form, found: Spelling, sender: str) -> None:
        vector = found.vector
        _count(form.bound if vector is None else form.literal, sender)
        if vector is not None:
            before = form.vectors.pop(vector, None)
            form.vectors[vector] = Sent(self._now, sender, before.times + 1 if before else 1)
            form.kinds.update(found.kinds)
            form.first = form.first or found.varying
            varied = [takes for _, takes in found.varying.items() ^ form.first.items()]
            form.takes = min([*varied, *([] if form.takes is None else [form.takes])], default=None)

    def _incident(self, row: Row, key: tuple[Place, Attack], sender: str, name: str) -> None:
        each = self._incidents.pop(key, None) or Incident(
            first_at=self._now, seen_at=self._now, superuser=bool(row["superuser"]), own=bool(row["own"])
        )
        each.seen_at = self._now
        self._incidents[key] = each
        _bound(self._incidents, ATTACKS)
        _count(each.times, sender)
        each.labels[name] = None
        _bound(each.labels, NAMES)

    def _purge(self) -> None:
        oldest, self._purged_at = self._now - self._remember, self._now
        self._forms = _since(self._forms, oldest)
        self._incidents = _since(self._incidents, oldest)
        for form in self._forms.values():
            form.vectors = {vector: each for vector, each in form.vectors.items() if each.seen_at >= oldest}
            form.row = None


PRIVATE = frozenset({"text", "text_limit", "taken_at", "ids"})


def without(row: Row) -> Row:
    """Give a row without the text, and without what is only for reading it."""
    return {name: value for name, value in row.items() if name not in PRIVATE}


def digested(text: bytes, *, cut: bool, spelled: bool = True) -> Digest:
    """Keep of a text what may be kept; without its constants where enough of them were seen."""
    sql = text.decode(errors="replace")
    one = statement(sql) if spelled else None
    return Digest(spelling=None if one is None else spelling(one, cut=cut), shape=attack(sql, cut=cut), cut=cut)


def _form_row(database: str, role: str, query_id: object, form: Form) -> Row:
    seen: Counter[str] = Counter()
    for each in form.vectors.values():
        seen[each.sender] += each.times
    return {
        "database": database,
        "role": role,
        "superuser": form.superuser,
        "own": form.own,
        "query_id": query_id,
        "statement": form.label,
        "literal": dict(form.literal),
        "bound": dict(form.bound),
        "different": dict(Counter(each.sender for each in form.vectors.values())),
        "seen": dict(seen),
        "kinds": tuple(sorted(form.kinds)),
        "takes": form.takes or 0,
    }


def _key(row: Row) -> tuple[Place, object]:
    return (str(row["database"]), str(row["role"])), row["query_id"]


def label(text: bytes, query_id: object, *, cut: bool) -> str:
    """Give the fingerprint that `statements` shows too; of a text that cannot be parsed, or was cut, the queryid."""
    one = None if cut else statement(text.decode(errors="replace"))
    read = read_statement(one) if one else None
    if read is not None:
        return read.fingerprint
    return f"queryid-{query_id & 0xFFFFFFFFFFFFFFFF:016x}" if isinstance(query_id, int) else "unreadable"


def _count(counts: Counter[str], name: str) -> None:
    """Count by name, for few names."""
    counts[name if name in counts or len(counts) < NAMES else "others"] += 1


def _since(kept: dict[K, S], oldest: float) -> dict[K, S]:
    return {key: each for key, each in kept.items() if each.seen_at >= oldest}


def _bound(kept: dict[K, V], most: int) -> None:
    """Drop the entries that were touched longest ago."""
    while len(kept) > most:
        del kept[next(iter(kept))]
