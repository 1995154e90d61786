"""The API's statements: as the snapshot lists them, in pages, with their hours where those are asked for."""

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
from tests.unit.shelf import NOW, RULES, Pile, Told
from tests.unit.test_http import Answer, ask

PATH = "/api/v1/statements"


@dataclass
class Busy:
    """Implements status.Workload."""

    rows: Sequence[Mapping[str, object]]
    reason: str = ""

    def statements(self) -> Sequence[Mapping[str, object]]:
        return self.rows

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
    pile, exposition = Pile(), Exposition()
    own = Own(pile, exposition.left_away)
    web = Web(Site(shelf=pile, handling=Told(), exposition=exposition, own=own, rules=RULES, workload=busy), port=0)
    await web.start()
    try:
        yield web
    finally:
        await web.stop()


async def asked(busy: Busy | None, query: str = "") -> Answer:
    async with serving(busy) as web:
        return await ask(web, PATH + query)


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
