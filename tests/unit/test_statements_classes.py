"""Totals by class: nothing is lost or counted twice, no series falls, their number is bounded; and texts as labels."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import cast

from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families as read_text

from monitor.expose.metrics import Exposition
from monitor.measurement import Measurement
from monitor.model import Target
from monitor.probe import Facts, Row
from probes.statements import PROBE
from probes.statements_captions import CHARACTERS, Captions
from probes.statements_classes import MOST, Classes
from probes.statements_texts import Texts
from probes.statements_top import View

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SIMPLE, COMPLEX, UTILITY = 0, 1, 2
TEXTS = ("select id from rooms where id = $1", "select count(*) from rooms", "vacuum rooms", "no statement at all")
ROLES = {10: "ann", 11: "bob", 12: "eve"}
DATABASES = {1: "shop", 2: "mail"}

Sums = Mapping[tuple[str, str, str], float]


class Teller:
    """A session that knows the text of every entry: by its queryid one of four."""

    facts: Facts

    async def fetch(self, sql: str, *arguments: object) -> Sequence[Row]:
        wanted = cast("list[int]", arguments[0])
        return [{"dbid": d, "queryid": q, "text": TEXTS[q % len(TEXTS)].encode()} for q in wanted for d in DATABASES]


def view(roles: Mapping[int, str] = ROLES, databases: Mapping[int, str] = DATABASES) -> View:
    return View(databases=databases, roles=roles)


def entry(queryid: int, calls: int = 1, *, role: int = 10, database: int = 1, toplevel: int = 1) -> Row:
    """What one entry grew by; each call took a quarter of a second."""
    return {
        "queryid": queryid,
        "dbid": database,
        "userid": role,
        "toplevel": toplevel,
        "calls": calls,
        "exec_seconds": calls / 4,
    }


def learnt(texts: Texts, *queryids: int) -> Texts:
    """Let the texts of these be read now."""
    texts.rest_not()
    asyncio.run(texts.learn(Teller(), {(1, each): 1.0 for each in queryids}, NOON, show=True))
    return texts


def calls(rows: Sequence[Row]) -> Sums:
    return {(str(row["database"]), str(row["role"]), str(row["class"])): float(str(row["class_calls"])) for row in rows}


def test_each_class_has_its_sums_and_what_is_nested_is_in_none() -> None:
    """Simple, complex and utility by the text; unknown where the text was not read or is no statement."""
    texts = learnt(Texts(), SIMPLE, COMPLEX, UTILITY, 3)
    grown = [
        entry(SIMPLE, 4),
        entry(COMPLEX, 3),
        entry(UTILITY, 2),
        entry(3),
        entry(99),
        entry(COMPLEX, 50, toplevel=0),
    ]
    rows = Classes().take(grown, texts, view())
    found = {str(row["class"]): (row["class_calls"], row["class_exec_seconds"]) for row in rows}
    assert found == {"simple": (4, 1.0), "complex": (3, 0.75), "utility": (2, 0.5), "unknown": (2, 0.5)}


def test_a_text_that_is_learnt_later_moves_nothing() -> None:
    """What was unknown stays counted as unknown, and the series stays; only new calls have the class."""
    classes, texts = Classes(), Texts()
    assert calls(classes.take([entry(SIMPLE, 5)], texts, view())) == {("shop", "ann", "unknown"): 5}
    learnt(texts, SIMPLE)
    assert calls(classes.take([entry(SIMPLE, 2)], texts, view())) == {
        ("shop", "ann", "unknown"): 0,
        ("shop", "ann", "simple"): 2,
    }


def test_roles_beyond_the_bound_are_summed_up_as_other() -> None:
    """The first ones keep their series; the next are one series a database, and beyond that one for all."""
    roles = {each: f"r{each}" for each in range(MOST + 2)}
    databases = {each: f"d{each}" for each in range(MOST + 1)}
    classes, texts, seen = Classes(), Texts(), view(roles, databases)
    first = calls(classes.take([entry(1, role=each, database=0) for each in roles], texts, seen))
    assert len(first) == MOST + 1
    assert first["d0", "other", "unknown"] == 2
    later = calls(classes.take([entry(1, role=0, database=each) for each in databases], texts, seen))
    assert later["d0", "r0", "unknown"] == 1
    assert later["d1", "other", "unknown"] == 1
    assert later["", "other", "unknown"] == 1
    assert sum(later.values()) == len(databases)


def test_a_role_that_was_dropped_makes_room() -> None:
    """Its series go with it, and the next role has its own; what ran under its oid is somebody other's."""
    roles = {each: f"r{each}" for each in range(MOST)}
    classes, texts = Classes(), Texts()
    classes.take([entry(1, role=each) for each in roles], texts, view(roles))
    left = {**roles, 99: "new"}
    del left[3]
    rows = calls(classes.take([entry(1, role=99), entry(1, role=3)], texts, view(left)))
    assert ("shop", "r3", "unknown") not in rows
    assert rows["shop", "new", "unknown"] == rows["shop", "other", "unknown"] == 1


def on_page(exposition: Exposition) -> Sums:
    """The calls by class, as a Prometheus reads them."""
    text = exposition.page(openmetrics=False).decode()
    samples = [sample for each in read_text(text) for sample in each.samples]
    named = [each for each in samples if each.name == "pgarchitect_statements_class_calls_total"]
    found = {(each.labels["database"], each.labels["role"], each.labels["class"]): each.value for each in named}
    assert len(found) == len(named)
    return found


NAMES = st.dictionaries(st.integers(8, 14), st.sampled_from("abcdefgh").map(lambda name: f"role_{name}"), max_size=5)
STEP = st.tuples(
    st.lists(st.tuples(st.integers(0, 7), st.integers(0, 9), st.integers(8, 14), st.sampled_from([1, 2])), max_size=12),
    st.lists(st.integers(0, 7), max_size=3),
    NAMES.filter(lambda names: len(set(names.values())) == len(names)),
    st.booleans(),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(STEP, min_size=1, max_size=12))
def test_no_series_ever_falls_and_nothing_is_lost(
    steps: list[tuple[list[tuple[int, int, int, int]], list[int], dict[int, str], bool]],
) -> None:
    """Roles come, go and change names, texts are learnt, statistics are reset: sums grow by what grew, or stay."""
    exposition, classes, texts, before = Exposition(), Classes(), Texts(), Counter[tuple[str, str, str]]()
    for turn, (entries, read, roles, reset) in enumerate(steps):
        learnt(texts, *read)
        grown = [entry(q, n, role=role, database=database) for q, n, role, database in entries]
        rows = classes.take([] if reset else grown, texts, view(roles))
        seen = Measurement(
            target=Target("test"),
            probe="statements",
            taken_at=NOON + timedelta(seconds=15 * turn),
            grown=None if reset else grown,
            exposed=(),
            asides={"classes": rows},
        )
        exposition.absorb(PROBE, seen)
        now = on_page(exposition)
        assert [place for place, value in now.items() if value < before[place]] == []
        growth = sum(value - before[place] for place, value in now.items())
        assert growth == (0 if reset else sum(n for _, n, _, _ in entries))
        before.update({place: int(value) - before[place] for place, value in now.items()})


def caption(queryid: int) -> Row:
    return {"queryid": queryid, "dbid": 1, "userid": 10, "toplevel": 1}


def test_a_caption_is_there_as_long_as_its_series() -> None:
    """One for each fingerprint, none for the rest; an unknown text is empty; a series that went takes it along."""
    captions, texts = Captions(), learnt(Texts(), SIMPLE)
    label = texts.of((1, SIMPLE)).label
    exposed = [{"database": "shop", "query": query} for query in (label, label, "queryid-1", "other")]
    rows = captions.take(exposed, [caption(SIMPLE), caption(COMPLEX)], texts, view())
    assert {(row["query"], row["text"], row["info"]) for row in rows} == {
        (label, TEXTS[SIMPLE], 1),
        ("queryid-1", "", 1),
    }
    assert len(rows) == 2
    assert captions.take([], [caption(SIMPLE)], texts, view()) == []


def test_a_caption_is_cut() -> None:
    """A long statement's label has so many characters and a sign that it goes on."""

    class Long(Teller):
        async def fetch(self, sql: str, *arguments: object) -> Sequence[Row]:
            return [{"dbid": 1, "queryid": 7, "text": f"select {', '.join('c' * 90)} from rooms".encode()}]

    texts = Texts()
    asyncio.run(texts.learn(Long(), {(1, 7): 1.0}, NOON, show=True))
    exposed = [{"database": "shop", "query": texts.of((1, 7)).label}]
    (row,) = Captions().take(exposed, [caption(7)], texts, view())
    assert len(str(row["text"])) == CHARACTERS
    assert str(row["text"]).endswith("…")
