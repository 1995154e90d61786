"""Silences, the audit log, histories and places in the store: kept, given back in order, and forgotten when old."""

from collections.abc import Collection
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.errors import StoreError
from monitor.store import tables
from monitor.store.audit import StoredAudit
from monitor.store.engine import Store
from monitor.store.history import MOST
from monitor.store.ledger_book import StoredLedger
from monitor.store.places import StoredPlaces
from monitor.store.records import AuditEntry, LedgerWrite, OutboxState, SilenceRow
from monitor.store.silences import StoredSilences
from tests.alerts import at, firing, moments, resolved
from tests.storing import entry, mark, step

A, B = firing("a").finding.fingerprint, firing("b").finding.fingerprint


def silence(name: str = "one", seconds: float = 60) -> SilenceRow:
    return SilenceRow(id=name, ends_at=at(seconds), document={"id": name, "matchers": ['rule="pool.saturation"']})


def line(action: str = "silence", seconds: float = 0) -> AuditEntry:
    return AuditEntry(at=at(seconds), who="ann", action=action, document={"id": "one"})


# -- silences -----------------------------------------------------------------------------------------------------


async def save(store: Store, *silences: SilenceRow, audit: Collection[AuditEntry] = ()) -> None:
    await StoredLedger(store).write(LedgerWrite(silences=list(silences), audit=list(audit)))


async def test_silences_are_replaced_and_given_by_their_ends(either: Store) -> None:
    for each in (silence("late", 90), silence("one"), silence("one", 30)):
        await save(either, each)
    assert await StoredSilences(either).load() == [silence("one", 30), silence("late", 90)]
    assert (await StoredLedger(either).load()).silences == (silence("one", 30), silence("late", 90))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.builds(
        SilenceRow,
        id=st.text(),
        ends_at=moments(),
        document=st.dictionaries(st.text(), st.none() | st.integers() | st.text() | st.lists(st.text()), max_size=3),
    )
)
async def test_a_silence_comes_back_exactly(store: Store, one: SilenceRow) -> None:
    await save(store, one)
    known = {each.id: each for each in await StoredSilences(store).load()}
    assert known[one.id] == one


async def test_a_silence_and_its_line_in_the_audit_log_go_together(store: Store) -> None:
    await save(store, silence("kept"), audit=[line("silence")])
    await store.run(lambda connection: connection.exec_driver_sql("drop table audit"))
    with pytest.raises(StoreError, match="SQLite refuses"):
        await save(store, silence("new"), audit=[line()])
    assert await StoredSilences(store).load() == [silence("kept")]


# -- audit log ----------------------------------------------------------------------------------------------------


async def test_the_audit_log_gives_the_newest_first_in_pages(either: Store) -> None:
    stored = StoredAudit(either)
    await save(either, audit=[line("first")])
    await save(either, silence(), audit=[line("second")])
    await StoredLedger(either).write(LedgerWrite(silences=[silence("two")], audit=[line("third"), line("fourth")]))
    assert [each.action for each in await stored.newest()] == ["fourth", "third", "second", "first"]
    assert await stored.newest(limit=2, offset=1) == [line("third"), line("second")]
    assert await stored.count() == 4
    assert [each.id for each in await StoredSilences(either).load()] == ["one", "two"]


async def test_a_line_that_cannot_be_read_still_says_who_and_when(either: Store) -> None:
    await save(either, audit=[line()])
    await either.run(lambda connection: connection.execute(tables.audit.update().values(document="?")))
    assert await StoredAudit(either).newest() == [replace(line(), document={})]


# -- places -------------------------------------------------------------------------------------------------------


async def test_a_place_is_put_replaced_and_forgotten(either: Store) -> None:
    stored = StoredPlaces(either)
    await stored.put("ops", A, "C1 1.0")
    await stored.put("ops", A, "C1 2.0")
    await stored.put("dev", A, "C2 \x00 3.0")
    assert [await stored.get(name, A) for name in ("ops", "dev", "all")] == ["C1 2.0", "C2 \x00 3.0", None]
    await stored.forget("ops", A)
    await stored.forget("ops", B)
    assert [await stored.get(name, A) for name in ("ops", "dev")] == [None, "C2 \x00 3.0"]


async def test_many_places_are_put_at_once(either: Store) -> None:
    stored = StoredPlaces(either)
    await stored.put("ops", A, "C1 1.0")
    await stored.put_all("ops", {A: "C1 2.0", B: "C1 2.0"})
    await stored.put_all("ops", {})
    assert [await stored.get("ops", fingerprint) for fingerprint in (A, B)] == ["C1 2.0", "C1 2.0"]


# -- histories, and what is forgotten -----------------------------------------------------------------------------


async def test_a_history_is_one_alerts_own_oldest_first(either: Store) -> None:
    stored = StoredLedger(either)
    await stored.write(
        LedgerWrite(transitions=[step("a", "pending", 0), step("b", "firing", 1), step("a", "firing", 2)])
    )
    await stored.write(LedgerWrite(transitions=[step("a", "resolved", 1)]))
    assert [each.state for each in await stored.history(A)] == ["pending", "firing", "resolved"]
    assert [each.state for each in await stored.history(A, limit=2)] == ["firing", "resolved"]
    assert await stored.history(B) == [step("b", "firing", 1)]


async def test_forgetting_deletes_what_was_over_and_what_belonged_to_it(either: Store) -> None:
    """`resolved` alerts are over at 60 s."""
    stored, places = StoredLedger(either), StoredPlaces(either)
    await stored.write(
        LedgerWrite(
            alerts=[firing("a"), resolved("b")],
            told=[mark("a"), mark("b")],
            transitions=[step("a"), step("b"), step("b", "resolved", 60)],
            outbox=[entry("dead", state=OutboxState.DEAD), entry("waits"), entry("late", 70, state=OutboxState.DEAD)],
            audit=[line("old", 0), line("new", 70)],
        )
    )
    for name, seconds in (("old", 60), ("new", 70)):
        await save(either, silence(name, seconds))
    for fingerprint in (A, B):
        await places.put("ops", fingerprint, "C1 1.0")
    assert await stored.forget(at(0)) == 0
    assert await stored.forget(at(65)) == len(["b", "its mark", "two steps", "", "dead", "silence", "line", "place"])
    read = await stored.load()
    assert (read.alerts, read.told, read.outbox, read.silences) == (
        (firing("a"),),
        (mark("a"),),
        (entry("waits"),),
        (silence("new", 70),),
    )
    assert [each.id for each in await stored.dead_letters()] == ["late"]
    assert await StoredAudit(either).newest() == [line("new", 70)]
    assert (await stored.history(A), await stored.history(B)) == ([step("a")], [])
    assert [await places.get("ops", fingerprint) for fingerprint in (A, B)] == ["C1 1.0", None]


async def test_who_flaps_keeps_the_newest_steps_only(either: Store) -> None:
    """An alert that is still there keeps a bounded history."""
    stored = StoredLedger(either)
    many = [step("a", seconds=number) for number in range(MOST + 5)]
    await stored.write(LedgerWrite(alerts=[firing("a")], transitions=[*many, step("b", seconds=9)]))
    assert await stored.forget(at(0)) == 5
    assert await stored.history(A, limit=2 * MOST) == many[5:]
    assert await stored.history(B) == [step("b", seconds=9)]
