"""Statements over HTTP: in the API as the snapshot lists them, in pages, with hours where asked for; and their page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import pytest

from monitor.expose.api import MOST_BUCKETS
from monitor.expose.metrics import Exposition
from monitor.expose.own import Own
from monitor.expose.server import Site, Web
from monitor.status import Bucket, Hours
from tests.unit.shelf import NOW, RULES, Pile, Told, server
from tests.unit.test_http import Answer, ask

PATH, PAGE = "/api/v1/statements", "/statements"


@dataclass
class Busy:
    """Implements status.Workload."""

    rows: Sequence[Mapping[str, object]]
    reason: str = ""
    window: float = 600.0

    async def statements(self, target: str | None = None) -> Sequence[Mapping[str, object]]:
        return [row for row in self.rows if target in {None, row["target"]}]

    def pools(self) -> Sequence[Mapping[str, object]]:
        return [{"target": target, "kind": "server", "used": 3, "limit": 10} for target in ("shop", "billing")]

    def indexes(self, target: str) -> Sequence[Mapping[str, object]]:
        return ()

    async def hours(self, statements: Sequence[Mapping[str, object]], count: int) -> Hours:
        if self.reason:
            return Hours(buckets=None, reason=self.reason)
        return Hours(buckets=[[bucket(ago) for ago in range(count, 0, -1)] for _ in statements])


def bucket(ago: int) -> Bucket:
    return Bucket(begins=NOW - timedelta(hours=ago), figures={"calls": float(ago)})


def rows() -> list[Mapping[str, object]]:
    return [
        {"target": server, "database": "shop", "statement": f"{number:04}", "total_seconds": number}
        for server in ("shop", "billing")
        for number in range(3)
    ]


@asynccontextmanager
async def serving(busy: Busy | None) -> AsyncIterator[Web]:
    pile, exposition = Pile(targets_=[server(), server("billing")]), Exposition()
    own = Own(pile, exposition.left_away)
    site = Site(
        shelf=pile,
        handling=Told(),
        exposition=exposition,
        own=own,
        rules=RULES,
        clock=lambda: NOW,
        workload=busy,
    )
    web = Web(site, port=0)
    await web.start()
    try:
        yield web
    finally:
        await web.stop()


async def asked(busy: Busy | None, query: str = "", path: str = PATH) -> Answer:
    async with serving(busy) as web:
        return await ask(web, path + query)


async def test_statements_come_in_pages() -> None:
    answer = await asked(Busy(rows()), "?page=2&per_page=4")
    assert answer.document == {"statements": rows()[4:], "page": 2, "per_page": 4, "total": 6}


async def test_statements_of_one_server_or_database_can_be_asked_for() -> None:
    assert (await asked(Busy(rows()), "?target=billing")).document["statements"] == rows()[3:]
    assert (await asked(Busy(rows()), "?database=none")).document["total"] == 0


async def test_hours_stand_beside_each_statement() -> None:
    """Oldest first, each with when it began."""
    document = (await asked(Busy(rows()), "?per_page=1&hours=2")).document
    hours = [{"begins": bucket(ago).begins.isoformat(), "calls": float(ago)} for ago in (2, 1)]
    assert document["statements"] == [{**rows()[0], "hours": hours}]


async def test_hours_that_cannot_be_read_are_said_to_be_unknown() -> None:
    document = (await asked(Busy(rows(), reason="the disk is full"), "?per_page=1&hours=2")).document
    assert document["statements"] == [{**rows()[0], "hours": None}]
    assert document["hours_reason"] == "the disk is full"


@pytest.mark.parametrize("query", ["?hours=-1", "?hours=x", "?hours=99999", "?colour=red", f"?hours={MOST_BUCKETS}"])
async def test_too_much_or_nonsense_is_refused_in_words(query: str) -> None:
    answer = await asked(Busy(rows()), query)
    assert answer.status == 400
    assert answer.document["error"]


async def test_as_much_as_may_be_is_given() -> None:
    assert (await asked(Busy(rows()), f"?hours={MOST_BUCKETS // 100}")).status == 200


async def test_where_nothing_is_kept_it_says_so() -> None:
    assert (await asked(None)).status == 404


async def test_the_page_of_statements_answers() -> None:
    """As HTML that may run nothing, with a row for each and the reason why hours are missing."""
    answer = await asked(Busy(rows(), reason="the disk is full"), "?target=billing&sort=mean", PAGE)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.text.count("<script") == answer.text.count('<script src="/static/page.js?') == 1
    assert " style=" not in answer.text
    assert answer.text.count("<tr id=") == 3
    assert "cannot be read: the disk is full" in answer.text


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("?sort=colour", "sort must be one of time, mean, calls, rows"),
        ("?page=0", "page must be a whole number"),
        ("?page=x", "page must be a whole number"),
        ("?per_page=5", "no such parameter; there are: page, target, database, sort, statement"),
        ("?colour=red", "no such parameter"),
    ],
)
async def test_a_question_that_cannot_be_gets_words_on_a_page(query: str, said: str) -> None:
    answer = await asked(Busy(rows()), query, PAGE)
    assert answer.status == 400
    assert said in answer.text


async def test_a_target_that_is_not_watched_is_no_empty_page() -> None:
    """Nor does the page repeat what was asked."""
    answer = await asked(Busy(rows()), "?target=nowhere", PAGE)
    assert answer.status == 404
    assert "No target of this name is watched." in answer.text
    assert "nowhere" not in answer.text


async def test_where_nothing_is_kept_the_page_says_so() -> None:
    answer = await asked(None, path=PAGE)
    assert answer.status == 404
    assert "No statements are kept here." in answer.text


async def test_pools_are_listed_for_all_servers_or_for_one() -> None:
    """As the snapshot lists them, in pages; what is not understood gets words; where none are kept there is none."""
    everything = (await asked(Busy(rows()), path="/api/v1/pools")).document
    assert (everything["total"], everything["page"]) == (2, 1)
    one = (await asked(Busy(rows()), "?target=shop", "/api/v1/pools")).document
    assert one["pools"] == [{"target": "shop", "kind": "server", "used": 3, "limit": 10}]
    assert (await asked(Busy(rows()), "?kind=server", "/api/v1/pools")).status == 400
    assert (await asked(None, path="/api/v1/pools")).status == 404
