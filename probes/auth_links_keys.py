"""A few ids of the rows that a link's findings count, where `auth.sample_keys` asks for them.

Suspects are hashes; each run asks for the ids of some of them, in one slice, until enough are known. They lie in this
memory and in the finding, and nowhere else.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from monitor.probe import Finding, ProbeError, ProbeSkipped, ProbeTimeout, Row, TargetDenied, sight
from probes.auth_links_discovery import Column, Place
from probes.auth_links_sight import LinkEye
from probes.auth_links_suspects import Span, Wanted
from probes.auth_sight import as_list

AGAIN_AFTER = 600.0
"""Seconds; what was asked is asked again then: where a row was known by its place, another one may lie there."""
SWEPT = {"keys", "blocks", "users"}
"""The ways of the sweep, whose slices can be read again for ids; who was met among the newest stands in none yet."""
RUN = "run monitor grants --config FILE --auth functions again"
NOT_LENT = f"the functions lent to us give counts only: {RUN}, with auth.sample_keys in that file"
NOT_OF_THIS = f"the functions lent to us give no ids of this column: declare it in auth.links, then {RUN}"
UNREADABLE = "they could not be read just now"
NOT_YET = "they are new, and are named once the sweep has come by"
SLOW = "the link is read whole, and to read it once more for them takes too long"


@dataclass(frozen=True, kw_only=True)
class Sampled:
    """The ids that are known of one direction, in order; where there are none, why not."""

    keys: tuple[str, ...] = ()
    reason: str = ""

    def named(self, finding: Finding) -> Finding:
        """Give a finding with the ids, or with why none are shown though they were asked for."""
        why = {"ids": f"not shown: {self.reason}"} if self.reason else {}
        return replace(finding, keys=self.keys, evidence={**finding.evidence, **why})


UNSAMPLED = Sampled()


@dataclass(frozen=True)
class _Answer:
    """What a hash stands for; None: nobody who is suspect still."""

    key: str | None
    at: float


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked of a link: ids of its rows without user, or of users without row."""

    eye: LinkEye
    column: Column
    function: sight.Function

    @property
    def key(self) -> tuple[Place, str]:
        """Give what the answers are kept under."""
        return self.column.place, self.function.name

    async def ask(self, span: Span | None, hashes: Sequence[int], most: int) -> Mapping[int, str] | str:
        """Give ids by their hashes; or, as a text, why they cannot be had: that spoils no count."""
        lent = self.eye.way.lent
        try:
            if not await self.eye.gives_keys():
                return NOT_LENT
            return _answers(await self.eye.keys(self.function, self.column, span, (hashes, most)))
        except (ProbeTimeout, ProbeSkipped):
            return UNREADABLE
        except (ProbeError, TargetDenied):
            return NOT_OF_THIS if lent else UNREADABLE


class LinkKeys:
    """All ids that one database's probe knows."""

    def __init__(self) -> None:
        self._known: dict[tuple[Place, str], dict[int, _Answer]] = {}

    def only(self, columns: Collection[Column]) -> None:
        """Forget the links that are there no more."""
        present = {column.place for column in columns}
        self._known = {key: known for key, known in self._known.items() if key[0] in present}

    async def sample(self, question: Question, wanted: Wanted, most: int) -> Sampled:
        """Give up to `most` ids of who is wanted; asks one statement at most."""
        known = self._still(question, wanted)
        found = {hashed: span for hashed, span in wanted.items() if span is None or span.way in SWEPT}
        unknown = {hashed: span for hashed, span in found.items() if hashed not in known}
        lacking = most - sum(answer.key is not None for answer in known.values())
        reason = NOT_YET if wanted and not found else ""
        if unknown and lacking > 0:
            span, hashes = _largest(unknown)
            asked = await question.ask(span, hashes[:lacking], lacking)
            if isinstance(asked, str):
                reason = asked
            else:
                known |= {hashed: _Answer(asked.get(hashed), time.monotonic()) for hashed in hashes[:lacking]}
        keys = tuple(sorted({answer.key for answer in known.values() if answer.key is not None})[:most])
        self._known[question.key] = known
        return Sampled(keys=keys, reason="" if keys else reason)

    def _still(self, question: Question, wanted: Wanted) -> dict[int, _Answer]:
        """Give what is known of who is wanted still, and was asked lately."""
        oldest = time.monotonic() - AGAIN_AFTER
        known = self._known.get(question.key, {})
        return {hashed: each for hashed, each in known.items() if hashed in wanted and each.at > oldest}


def _largest(unknown: Wanted) -> tuple[Span | None, list[int]]:
    """Give the slice with most of them, and who is in it."""
    ((span, _),) = Counter(unknown.values()).most_common(1)
    return span, sorted(hashed for hashed, each in unknown.items() if each == span)


def _answers(row: Row) -> dict[int, str]:
    pairs = zip(as_list(row["hashes"]), as_list(row["keys"]), strict=True)
    return {int(str(hashed)): str(UUID(str(key))) for hashed, key in pairs}
