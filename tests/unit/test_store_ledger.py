"""What a round of the ledger writes into the store: all of it or nothing, and a restart finds it as it was."""

import asyncio
import time
from dataclasses import replace
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Table, Update, update

from monitor.errors import StoreError
from monitor.lean import Lean
from monitor.model import Alert
from monitor.notice import Notice
from monitor.store import tables
from monitor.store.bulk import BITE
from monitor.store.documents import alert_document, alert_from_document, notice_from_text, notice_text
from monitor.store.engine import Store
from monitor.store.ledger_book import StoredLedger
from monitor.store.records import AuditEntry, LedgerRead, LedgerWrite, OutboxEntry, OutboxState, SilenceRow, ToldRow
from tests.alerts import at, firing, resolved
from tests.storing import entries, entry, flood, labelled_alerts, mark, marks, notice, notices, step

NOTHING = LedgerRead(alerts=(), told=(), outbox=(), silences=())
BIG = 10_000
"""Findings that fire at once and are written quickly (the issue's number)."""


# -- documents ----------------------------------------------------------------------------------------------------


@given(labelled_alerts())
def test_an_alert_survives_its_document(alert: Alert) -> None:
    assert alert_from_document(alert_document(alert)) == alert


@given(notices())
def test_a_notice_survives_its_text(one: Notice) -> None:
    assert notice_from_text(notice_text(one)) == one


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        '{"alerts": 1}',
        "[" * 100_000,
        notice_text(notice()).replace("firing", "burning"),
        notice_text(notice()).replace("+00:00", ""),
        notice_text(notice()).replace('"labels": {}', '"labels": 1'),
    ],
    ids=["empty", "a list", "null", "alone", "deep", "unknown state", "no zone", "no labels"],
)
def test_text_that_is_no_notice_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        notice_from_text(text)


# -- round trips --------------------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(told=st.lists(marks(), max_size=3), waiting=st.lists(entries(), max_size=2))
async def test_a_round_comes_back_exactly(store: Store, told: list[ToldRow], waiting: list[OutboxEntry]) -> None:
    await exact(store, told, waiting)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(told=st.lists(marks(), max_size=3), waiting=st.lists(entries(), max_size=2))
async def test_a_round_comes_back_exactly_from_postgresql(
    shared: Store, told: list[ToldRow], waiting: list[OutboxEntry]
) -> None:
    await exact(shared, told, waiting)


async def exact(store: Store, told: list[ToldRow], waiting: list[OutboxEntry]) -> None:
    stored = StoredLedger(store)
    await cleared(stored)
    await stored.write(LedgerWrite(told=told, outbox=waiting))
    read = await stored.load()
    assert {one.key: one for one in read.told} == {one.key: one for one in told}
    assert {one.id: one for one in read.outbox} == {one.id: one for one in waiting}
    assert store.notice == ""


async def cleared(stored: StoredLedger) -> None:
    old = await stored.load()
    await stored.write(LedgerWrite(untold=[one.key for one in old.told], sent=[one.id for one in old.outbox]))
    assert await stored.load() == NOTHING


async def test_marks_are_replaced_and_forgotten_one_by_one(either: Store) -> None:
    stored = StoredLedger(either)
    await stored.write(LedgerWrite(told=[mark("a"), mark("b"), mark("a", group="x" * 9000)]))
    await stored.write(LedgerWrite(told=[mark("a", status="resolved")], untold=[mark("b").key, mark("c").key]))
    told = (await stored.load()).told
    assert set(told) == {mark("a", status="resolved"), mark("a", group="x" * 9000)}


async def test_an_entry_that_changed_keeps_its_notice_and_one_that_was_sent_is_gone(either: Store) -> None:
    """A notice of an id never changes; so it is not written again."""
    stored = StoredLedger(either)
    await stored.write(LedgerWrite(outbox=[entry("b", 2), entry("a", 2), entry("early", 1)]))
    later = entry("b", 2, tries=3, due_at=at(90), why="no answer")
    await stored.write(LedgerWrite(outbox=[replace(later, notice=notice(seconds=9)), entry("a", 2)], sent=["a", "no"]))
    assert (await stored.load()).outbox == (entry("early", 1), later)


async def test_entries_wait_in_the_order_they_were_made(store: Store) -> None:
    stored = StoredLedger(store)
    await stored.write(LedgerWrite(outbox=[entry("b", 2), entry("c", 1), entry("a", 2)]))
    assert [one.id for one in (await stored.load()).outbox] == ["c", "a", "b"]


async def test_dead_letters_wait_no_more_and_say_why(store: Store) -> None:
    stored = StoredLedger(store)
    await stored.write(LedgerWrite(outbox=[entry("a", 1), entry("b", 2), entry("c", 3)]))
    dead = [entry(name, seconds, state=OutboxState.DEAD, why="HTTP 404") for name, seconds in (("a", 1), ("b", 2))]
    await stored.write(LedgerWrite(outbox=dead))
    assert [one.id for one in (await stored.load()).outbox] == ["c"]
    letters = await stored.dead_letters()
    assert [(one.id, one.receiver, one.group, one.why) for one in letters] == [
        ("b", "ops", "shop", "HTTP 404"),
        ("a", "ops", "shop", "HTTP 404"),
    ]
    assert [one.id for one in await stored.dead_letters(limit=1, offset=1)] == ["a"]
    assert await stored.dead_count() == 2


async def test_a_dead_letter_says_which_findings_it_told_of_news_first(either: Store) -> None:
    """The first few and how many in all; a text that looks like ours changes nothing."""
    told = [firing(subject=f'{number} "lower_since": "alerts": [') for number in range(12)]
    one = replace(notice(), alerts=tuple(told), news=frozenset({told[9].finding.fingerprint}))
    await StoredLedger(either).write(LedgerWrite(outbox=[dead(one)]))
    (letter,) = await StoredLedger(either).dead_letters()
    assert letter.findings == tuple(told[number].finding for number in (9, 0, 1, 2, 3))
    assert (letter.count, letter.digest) == (12, False)


async def test_of_a_dead_letter_that_is_very_long_only_the_beginning_is_read(either: Store) -> None:
    """It is cut in the middle of an alert, and counted whole."""
    told = tuple(firing(subject=f"{number} {'x' * 2000}") for number in range(600))
    await StoredLedger(either).write(LedgerWrite(outbox=[dead(replace(notice(), alerts=told, news=frozenset()))]))
    (letter,) = await StoredLedger(either).dead_letters()
    assert (letter.findings, letter.count) == (tuple(alert.finding for alert in told[:5]), 600)


async def test_a_dead_letter_that_cannot_be_read_still_says_for_whom_and_why(store: Store) -> None:
    stored = StoredLedger(store)
    await stored.write(LedgerWrite(outbox=[dead(notice())]))
    for text in ("?", "[]", '{"alerts": [{"lower_since": 1}]}', '{"alerts": [' + "[" * 100_000):
        spoilt = update(tables.outbox).values(notice=text)
        await store.run(partial(_execute, spoilt))
        (letter,) = await stored.dead_letters()
        assert (letter.receiver, letter.why, letter.findings) == ("ops", "HTTP 404", ())


def _execute(change: Update, connection: Connection) -> None:
    connection.execute(change)


def dead(one: Notice) -> OutboxEntry:
    return replace(entry("a", 1, state=OutboxState.DEAD, why="HTTP 404"), notice=one)


# -- all or nothing, quickly --------------------------------------------------------------------------------------


async def test_a_full_disk_writes_nothing_of_a_round(store: Store) -> None:
    """Nor is anything lost of what was written before."""
    stored = StoredLedger(store)
    await stored.write(LedgerWrite(alerts=[firing()], told=[mark()], outbox=[entry()]))
    before = await stored.load()
    await store.run(lambda connection: connection.exec_driver_sql("pragma max_page_count = 60"))
    with pytest.raises(StoreError, match="the disk is full; make room"):
        await stored.write(replace(flood(400), untold=[mark().key], sent=["one"], dropped=["gone"]))
    assert await stored.load() == before
    assert await stored.history(firing("public.table_1").finding.fingerprint) == []


async def test_what_cannot_be_written_last_undoes_what_was_written_first(store: Store) -> None:
    stored = StoredLedger(store)
    await store.run(lambda connection: connection.exec_driver_sql("drop table audit"))
    line = AuditEntry(at=at(0), who="ann", action="ack", document={})
    with pytest.raises(StoreError, match="SQLite refuses"):
        await stored.write(LedgerWrite(alerts=[firing()], told=[mark()], outbox=[entry()], audit=[line]))
    assert await stored.load() == NOTHING


async def test_a_flood_is_written_quickly_and_lets_others_have_their_turn(either: Store) -> None:
    """Measured in our own time: who else uses the machine must not count."""
    stored, change = StoredLedger(either), flood(BIG)
    turns = Turns()
    others = asyncio.create_task(turns.take())
    began = time.process_time()
    await stored.write(replace(change, told=(), transitions=()))
    assert time.process_time() - began < 3
    assert turns.taken > BIG / BITE
    await stored.write(change)
    read = await stored.load()
    assert (len(read.alerts), len(read.told), len(read.outbox)) == (BIG, BIG, 20)
    others.cancel()


class Turns:
    """Counts how often the event loop comes round to others."""

    def __init__(self) -> None:
        self.taken = 0

    async def take(self) -> None:
        while True:
            await asyncio.sleep(0.001)
            self.taken += 1


# -- damaged rows -------------------------------------------------------------------------------------------------


async def test_a_notice_that_cannot_be_read_is_put_aside_and_said(either: Store) -> None:
    stored = StoredLedger(either)
    await stored.write(LedgerWrite(outbox=[entry("a"), entry("b"), entry("c"), entry("d")]))
    await spoil(either, tables.outbox, "a", notice="{}")
    await spoil(either, tables.outbox, "b", state="lost")
    await spoil(either, tables.outbox, "c", notice="not JSON")
    assert (await stored.load()).outbox == (entry("d"),)
    assert "3 stored notices cannot be read" in either.notice
    assert {(one.id, one.why) for one in await stored.dead_letters()} == {
        (name, "it cannot be read any more") for name in "abc"
    }


async def spoil(store: Store, table: Table, name: str, **values: str) -> None:
    await store.run(lambda connection: connection.execute(update(table).where(table.c.id == name).values(**values)))


async def test_a_row_that_cannot_be_read_hides_no_other(either: Store) -> None:
    stored, silence = StoredLedger(either), SilenceRow(id="a", ends_at=at(60), document={"who": "ann"})
    await stored.write(LedgerWrite(alerts=[firing("a"), firing("b")], silences=[silence, replace(silence, id="b")]))
    await spoil(either, tables.silences, "b", document="[]")
    bad = update(tables.alerts).where(tables.alerts.c.finding.contains('"b"')).values(ack="{}")
    await either.run(lambda connection: connection.execute(bad))
    read = await stored.load()
    assert (read.alerts, read.silences) == ((firing("a"),), (silence,))
    assert "1 stored alerts cannot be read" in either.notice
    assert "1 stored silences cannot be read" in either.notice


async def test_a_time_that_is_none_spoils_its_own_row_only(store: Store) -> None:
    """SQLite keeps anything in any column."""
    stored = StoredLedger(store)
    await stored.write(
        LedgerWrite(
            alerts=[firing("a"), firing("b")],
            told=[mark("a"), mark("b")],
            outbox=[entry("a"), entry("b")],
            transitions=[step("a"), step("a", "resolved")],
        )
    )
    fingerprint = firing("b").finding.fingerprint
    for spoilt in (
        f"update alerts set starts_at = 'noon' where fingerprint = '{fingerprint}'",
        f"update told set at = 'noon' where fingerprint = '{fingerprint}'",
        "update outbox set due_at = x'00' where id = 'b'",
        "update transitions set at = 7.5 where state = 'firing'",
    ):
        await store.run(lambda connection, sql=spoilt: connection.exec_driver_sql(sql))  # type: ignore[misc]
    read = await stored.load()
    assert (read.alerts, read.told, read.outbox) == ((firing("a"),), (mark("a"),), (entry("a"),))
    assert await stored.history(firing("a").finding.fingerprint) == [step("a", "resolved")]


async def test_a_restart_finds_open_and_ended_alerts_with_their_acks(store: Store) -> None:
    """What is over is lean: what it said stays in the store."""
    stored = StoredLedger(store)
    ended = replace(resolved("b"), ended_by="its database is gone")
    await stored.write(LedgerWrite(alerts=[firing("a"), ended]))
    assert set(map(repr, (await stored.load()).alerts)) == {repr(firing("a")), repr(Lean()(ended))}
