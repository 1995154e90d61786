"""index.unused beside standbys that were read late, badly or not at all; and who hands their readings over."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import ClassVar

import pytest

from monitor.advisors.index.unused import STALE_SECONDS, Unused
from monitor.collect.runner import Clock
from monitor.daemon.advising import Advising
from monitor.daemon.desk import Desk
from monitor.daemon.pending import Pending
from monitor.errors import Needs
from monitor.expose.metrics import Exposition
from monitor.findings.ledger import Ledger
from monitor.measurement import Measurement
from monitor.model import Area, Confidence, Finding, NoVerdict, Result, Secret, Server, Target
from monitor.report.pages import Pages
from monitor.rule import Advisor, Book
from monitor.rules.evaluate import advise
from monitor.shape import Index, Shape, Watched
from monitor.shaped import with_shape
from monitor.standing import ServerStanding
from tests.unit.indexes import DAY, NOW, index, shape, table

RULE = Unused(min_bytes=0)
IDLE = index("idle", "a")


def reading(server: str, seen: Shape) -> Measurement:
    return Measurement(target=Target(server, "shop"), probe="shape", taken_at=NOW, details=with_shape(seen))


def of(*own: Index, counted: float | None = 30 * DAY) -> Shape:
    return shape(table(*own), counted=counted)


async def said(own: Measurement, *others: Measurement, relatives: Sequence[str] = ("copy",)) -> list[object]:
    """What the rule says with these readings."""
    newest = {(seen.target, seen.probe): seen for seen in (own, *others)}
    return [*(await advise(RULE, Pages(own.target, newest, relatives=relatives))).verdicts]


async def test_a_standby_that_agrees_is_named() -> None:
    """Its counters are old enough as well."""
    (finding,) = await said(reading("main", of(IDLE)), reading("copy", of(IDLE, counted=20 * DAY)))
    assert isinstance(finding, Finding)
    assert (finding.evidence["standbys"], finding.evidence["unused_seconds"]) == (["copy"], 20 * DAY)
    assert "nor on copy" in finding.summary


BROKEN = Measurement(
    target=Target("copy", "shop"),
    probe="shape",
    taken_at=NOW,
    result=Result.UNREACHABLE,
    reason="nobody answers",
    needs=Needs.TIME,
)
STALE = replace(reading("copy", of(IDLE)), taken_at=NOW - timedelta(seconds=STALE_SECONDS + 1))


@pytest.mark.parametrize(
    ("others", "reason"),
    [
        ((), "not read yet"),
        ((BROKEN,), "nobody answers"),
        ((STALE,), "read 2 h ago"),
        ((reading("copy", replace(of(IDLE), counting=False)),), "track_counts is off"),
    ],
)
async def test_a_standby_that_is_not_known_leaves_no_verdict(others: Sequence[Measurement], reason: str) -> None:
    """About the whole rule: no finding that stands is taken back."""
    (unsaid,) = await said(reading("main", of(IDLE)), *others)
    assert isinstance(unsaid, NoVerdict)
    assert (unsaid.subject, "copy" in unsaid.reason, reason in unsaid.reason) == (None, True, True)


async def test_a_standby_whose_counters_are_young_or_that_lacks_the_index_makes_it_wait() -> None:
    """Nothing is known of the time before; a reading at the limit is fresh enough."""
    for there in (of(IDLE, counted=DAY), of(IDLE, counted=None), of(index("other", "b", unique=True))):
        (unsaid,) = await said(reading("main", of(IDLE)), reading("copy", there))
        assert isinstance(unsaid, NoVerdict)
        assert unsaid.needs is Needs.HISTORY
    fresh = replace(STALE, taken_at=NOW - timedelta(seconds=STALE_SECONDS))
    (finding,) = await said(reading("main", of(IDLE)), fresh)
    assert isinstance(finding, Finding)


async def test_where_nothing_is_counted_nothing_is_unused() -> None:
    """With track_counts off all counts stand still."""
    (unsaid,) = await said(reading("main", replace(of(IDLE), counting=False)), relatives=())
    assert isinstance(unsaid, NoVerdict)
    assert (unsaid.needs, unsaid.subject) == (Needs.SETTING, None)


async def test_what_was_watched_long_enough_is_sure() -> None:
    """The daemon saw it for two weeks itself."""
    seen = replace(of(IDLE, counted=None), watched={IDLE.oid: Watched(seconds=14 * DAY)})
    (finding,) = await said(reading("main", seen), relatives=())
    assert isinstance(finding, Finding)
    assert finding.confidence is Confidence.HIGH


async def test_tables_that_were_not_read_are_named() -> None:
    """Findings about other tables are told all the same."""
    seen = replace(of(IDLE), left_out={f"public.t{number}": "locked" for number in range(7)})
    finding, unsaid = await said(reading("main", seen), relatives=())
    assert isinstance(finding, Finding)
    assert isinstance(unsaid, NoVerdict)
    assert (unsaid.subject, "and 2 more" in unsaid.reason) == ("7 tables", True)


@dataclass(frozen=True, kw_only=True)
class Asker(Advisor):
    """Says whose readings it was given."""

    id: ClassVar[str] = "index.asker"
    area: ClassVar[Area] = Area.PERFORMANCE
    reads: ClassVar[tuple[str, ...]] = ("shape",)

    async def advise(self, book: Book) -> Sequence[Finding | NoVerdict]:
        given = {name: seen is not None for name, seen in book.family("shape").items()}
        return [NoVerdict(reason=str(given), needs=Needs.HISTORY)]


async def test_the_daemon_hands_over_the_readings_of_the_family() -> None:
    """Of the same database, on all servers that follow the same primary."""
    desk = Desk(Ledger(), Exposition(), Clock(now=lambda: NOW), Pending())
    servers = [Server(name="main", dsn=Secret("")), Server(name="lone", dsn=Secret(""))]
    servers += [Server(name=name, dsn=Secret(""), replica_of="main") for name in ("copy", "late")]
    for server in servers:
        desk.shelf.servers[server.name] = ServerStanding(server, spent=lambda: 0.0)
    for name in ("main", "copy", "lone"):
        desk.newest[Target(name, "shop"), "shape"] = reading(name, of(IDLE))
    await Advising(desk).ask(servers[0], Asker(), ["shop"])
    ((unsaid,),) = desk.shelf.servers["main"].unsaid.values()
    assert unsaid.reason == str({"copy": True, "late": False})
