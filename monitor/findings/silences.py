"""Silences: for a while, alerts that match are not told to anybody. A silence on a target is a maintenance window.

Pure: `now` comes in; what a silence is lies in the silence. Nothing here reads a clock or a store.
"""

from bisect import insort
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from monitor.findings.matchers import Matcher, Op, all_match, is_whole, parse_matcher

ANY = ("", "")
"""Where silences are filed that ask for no label's one value."""


class SilenceState(StrEnum):
    """Where a silence stands at a moment."""

    PENDING = "pending"
    ACTIVE = "active"
    EXPIRED = "expired"


@dataclass(frozen=True, kw_only=True)
class Silence:
    """What is not told from `starts_at` until just before `ends_at`, who says so, and why. Raises ValueError."""

    id: str
    matchers: tuple[Matcher, ...]
    starts_at: datetime
    ends_at: datetime
    author: str
    comment: str
    created_at: datetime

    def __post_init__(self) -> None:
        _check_matchers(self.matchers)
        for name in ("id", "author", "comment"):
            _check_words(name, getattr(self, name))
        for name in ("starts_at", "ends_at", "created_at"):
            _check_moment(name, getattr(self, name))
        if self.ends_at < self.starts_at:
            raise ValueError("ends_at: the silence ends before it starts; give a later end")

    def state(self, now: datetime) -> SilenceState:
        if self.ends_at <= now:
            return SilenceState.EXPIRED
        return SilenceState.PENDING if now < self.starts_at else SilenceState.ACTIVE

    def silences(self, labels: Mapping[str, str], now: datetime) -> bool:
        """Tell whether an alert with these labels is silenced at that moment."""
        return self.starts_at <= now < self.ends_at and all_match(self.matchers, labels)


class Silences:
    """Every silence by its id: those to come, those that work, and the old ones until they are forgotten."""

    def __init__(self, silences: Iterable[Silence] = ()) -> None:
        self._silences: dict[str, Silence] = {}
        self._by_label: dict[tuple[str, str], list[Silence]] = {}
        """By one label and value it asks for, so that of many only few are looked at; what ends last comes first."""
        for silence in silences:
            self._put(silence)

    @property
    def silences(self) -> Sequence[Silence]:
        """All of them; the one that ends last comes first."""
        return sorted(self._silences.values(), key=_last_first)

    def get(self, silence_id: str) -> Silence | None:
        return self._silences.get(silence_id)

    def add(self, silence: Silence, now: datetime) -> None:
        """Take a silence in, in place of one with its id; raises ValueError when it would be over at once."""
        if silence.ends_at <= max(now, silence.starts_at):
            raise ValueError("ends_at: the silence would be over already; give an end after now and after its start")
        self._put(silence)

    def restore(self, silence: Silence) -> None:
        """Take a stored silence up, unless it was changed meanwhile."""
        if silence.id not in self._silences:
            self._put(silence)

    def expire(self, silence_id: str, now: datetime) -> Silence | None:
        """End a silence now and keep it as history; one that is over stays as it is. None: there is none of that id."""
        silence = self._silences.get(silence_id)
        if silence is None or silence.state(now) is SilenceState.EXPIRED:
            return silence
        silence = replace(silence, starts_at=min(silence.starts_at, now), ends_at=now)
        self._put(silence)
        return silence

    def active(self, now: datetime) -> list[Silence]:
        return [silence for silence in self.silences if silence.state(now) is SilenceState.ACTIVE]

    def silenced_by(self, labels: Mapping[str, str], now: datetime) -> Silence | None:
        """Give the silence that keeps an alert with these labels quiet; of several, the one that lasts longest."""
        found = (self._among(key, labels, now) for key in (ANY, *labels.items()) if key in self._by_label)
        return max((each for each in found if each is not None), key=lambda each: each.ends_at, default=None)

    def forget(self, before: datetime) -> list[str]:
        """Drop the silences that were over before that moment; give their ids."""
        old = [silence.id for silence in self._silences.values() if silence.ends_at < before]
        for silence_id in old:
            self._take(silence_id)
        return old

    def _put(self, silence: Silence) -> None:
        self._take(silence.id)
        self._silences[silence.id] = silence
        insort(self._by_label.setdefault(_key(silence), []), silence, key=_last_first)

    def _take(self, silence_id: str) -> None:
        known = self._silences.pop(silence_id, None)
        if known is not None:
            alike = self._by_label[_key(known)]
            alike.remove(known)
            if not alike:
                del self._by_label[_key(known)]

    def _among(self, key: tuple[str, str], labels: Mapping[str, str], now: datetime) -> Silence | None:
        for silence in self._by_label[key]:
            if silence.ends_at <= now:
                return None
            if silence.silences(labels, now):
                return silence
        return None


def maintenance(
    target: str, seconds: float, *, silence_id: str, now: datetime, author: str, comment: str = "maintenance"
) -> Silence:
    """Build the silence of everything about one target from now on for that long; raises ValueError."""
    if not seconds > 0:
        raise ValueError("a maintenance window lasts longer than nothing")
    try:
        ends_at = now + timedelta(seconds=seconds)
    except OverflowError as error:
        raise ValueError("a maintenance window ends before the year 10000") from error
    return Silence(
        id=silence_id,
        matchers=(Matcher("target", Op.EQUAL, target),),
        starts_at=now,
        ends_at=ends_at,
        author=author,
        comment=comment,
        created_at=now,
    )


def silence_document(silence: Silence) -> dict[str, object]:
    """Give the JSON form of a silence, for API and store; its state depends on the moment and is not in it."""
    return {
        "id": silence.id,
        "matchers": [str(matcher) for matcher in silence.matchers],
        "starts_at": silence.starts_at.isoformat(),
        "ends_at": silence.ends_at.isoformat(),
        "author": silence.author,
        "comment": silence.comment,
        "created_at": silence.created_at.isoformat(),
    }


def silence_from_document(document: Mapping[str, object]) -> Silence:
    """Read the JSON form; raises ValueError that names the key. Keys it does not know it leaves alone."""
    written = document.get("matchers")
    if not isinstance(written, list) or not all(isinstance(each, str) for each in written):
        raise ValueError('matchers: not a list of texts; write ["target=\\"shop\\""]')
    return Silence(
        id=_text(document, "id"),
        matchers=tuple(parse_matcher(each) for each in written),
        starts_at=_moment(document, "starts_at"),
        ends_at=_moment(document, "ends_at"),
        author=_text(document, "author"),
        comment=_text(document, "comment"),
        created_at=_moment(document, "created_at"),
    )


def _key(silence: Silence) -> tuple[str, str]:
    exact = ((each.label, each.value) for each in silence.matchers if each.op is Op.EQUAL and each.value)
    return next(exact, ANY)


def _last_first(silence: Silence) -> float:
    return -silence.ends_at.timestamp()


def _text(document: Mapping[str, object], key: str) -> str:
    match document.get(key):
        case str(text):
            return text
        case None:
            raise ValueError(f"{key}: missing")
        case _:
            raise ValueError(f"{key}: not a text")


def _moment(document: Mapping[str, object], key: str) -> datetime:
    text = _text(document, key)
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{key}: not a time; write it as 2027-01-31T12:00:00Z") from error


def _check_matchers(matchers: Sequence[Matcher]) -> None:
    if not matchers:
        raise ValueError("matchers: a silence needs at least one")
    if all_match(matchers, {}):
        raise ValueError("matchers: together they match everything; at least one must not match the empty text")


def _check_words(name: str, text: str) -> None:
    if not text.strip():
        raise ValueError(f"{name}: empty; say who and why")
    if "\x00" in text or not is_whole(text):
        raise ValueError(f"{name}: holds a character that no database keeps")


def _check_moment(name: str, moment: datetime) -> None:
    if moment.tzinfo is None:
        raise ValueError(f"{name}: without a time zone; write it as 2027-01-31T12:00:00Z")
