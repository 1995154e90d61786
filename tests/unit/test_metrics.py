"""What /metrics says: gauges as read, counters that never fall, a bound on series, and the metrics always there."""

from __future__ import annotations

import gzip
import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial

import pytest
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.openmetrics.parser import text_string_to_metric_families as _read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from monitor.expose.compat import Compat
from monitor.expose.metrics import Exposition, clashes
from monitor.expose.own import Own
from monitor.expose.scrape import OPENMETRICS, TEXT, Scrape, wants_openmetrics
from monitor.model import Result, Target
from monitor.probe import Aside, Kind, Measurement, Metric, Probe, Scope
from tests.conftest import absent
from tests.unit.shelf import NOW, SERVER, SHOP, Pile, alert, finding, server, unknown

TABLES = Probe(
    name="tables",
    scope=Scope.DATABASE,
    every=60,
    key=("name",),
    labels=("name",),
    metrics=(Metric("size_bytes", Kind.GAUGE, "Size."), Metric("scans", Kind.COUNTER, "Scans.")),
)
PER_DATABASE = Probe(
    name="databases",
    scope=Scope.SERVER,
    every=15,
    key=("database",),
    labels=("database",),
    metrics=(Metric("commits", Kind.COUNTER, "Commits."),),
)
PROMETHEUS = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1"

read_openmetrics: Callable[[str], Iterable[Family]] = _read_openmetrics

Rows = Sequence[Mapping[str, object]]
Samples = Mapping[tuple[str, str, str], float]


def reading(rows: Rows, grown: Rows | None = None, target: Target = SHOP, probe: str = "tables") -> Measurement:
    return Measurement(target=target, probe=probe, taken_at=NOW, rows=rows, grown=grown)


def table(name: str | None = "rooms", size: object = 8192, scans: object = 10) -> Mapping[str, object]:
    return {"name": name, "size_bytes": size, "scans": scans}


def samples(exposition: Exposition, label: str = "name") -> Samples:
    """The page as a Prometheus reads it: (metric, database, label) to value; fails on equal lines."""
    text = exposition.page(openmetrics=False).decode()
    found = [sample for each in read_text(text) for sample in each.samples]
    values = {(each.name, each.labels["database"], each.labels.get(label, "")): each.value for each in found}
    assert len(values) == len(found)
    return values


def scans(exposition: Exposition, name: str = "rooms") -> float:
    return samples(exposition)["pgarchitect_tables_scans_total", "shop", name]


def test_a_gauge_is_what_was_read_and_a_counter_starts_at_the_servers_figure() -> None:
    """The first reading is shown as it is."""
    exposition = Exposition()
    exposition.absorb(TABLES, reading([table()]))
    assert samples(exposition) == {
        ("pgarchitect_tables_size_bytes", "shop", "rooms"): 8192,
        ("pgarchitect_tables_scans_total", "shop", "rooms"): 10,
    }


def test_a_counter_grows_by_what_grew() -> None:
    """The server's figure after a reset does not matter, only growth does."""
    exposition = Exposition()
    exposition.absorb(TABLES, reading([table(scans=10)]))
    exposition.absorb(TABLES, reading([table(scans=25)], [table(scans=15)]))
    assert scans(exposition) == 25


def test_a_row_that_was_reset_keeps_its_value() -> None:
    """It is left out of what grew, so it neither falls nor jumps."""
    exposition = Exposition()
    exposition.absorb(TABLES, reading([table(scans=10)]))
    exposition.absorb(TABLES, reading([table(scans=2)], []))
    assert scans(exposition) == 10


def test_a_reset_of_the_whole_reading_keeps_all_values() -> None:
    """Growth is unknown again, as on a first reading, but the series are known."""
    exposition = Exposition()
    exposition.absorb(TABLES, reading([table(scans=10)]))
    exposition.absorb(TABLES, reading([table(scans=2)], None))
    assert scans(exposition) == 10


def test_a_row_that_comes_later_starts_with_its_growth() -> None:
    """A complete reading gives it as growth; an incomplete one does not, then it starts at nought."""
    exposition = Exposition()
    exposition.absorb(TABLES, reading([]))
    exposition.absorb(TABLES, reading([table("new", scans=4), table("old", scans=9000)], [table("new", scans=4)]))
    assert (scans(exposition, "new"), scans(exposition, "old")) == (4, 0)


SPLIT = replace(
    TABLES,
    asides=(
        Aside(name="kinds", labels=("kind",), metrics=(Metric("kind_scans", Kind.COUNTER, "Scans by kind."),)),
        Aside(name="notes", labels=("name", "note"), metrics=(Metric("info", Kind.GAUGE, "Always 1."),)),
    ),
)


def split(**asides: Rows) -> Measurement:
    return replace(reading([table()]), asides=asides)


def test_an_aside_has_labels_of_its_own() -> None:
    """Its counters are growth from the first reading on, its gauges as they are; what is not said is not shown."""
    exposition = Exposition()
    exposition.absorb(SPLIT, split(kinds=[{"kind": "index", "kind_scans": 3}], notes=[{"name": "rooms", "info": 1}]))
    exposition.absorb(SPLIT, split(kinds=[{"kind": "index", "kind_scans": 2}]))
    assert scans(exposition) == 10
    assert samples(exposition, "kind")["pgarchitect_tables_kind_scans_total", "shop", "index"] == 5
    assert b"pgarchitect_tables_info" not in exposition.page(openmetrics=False)


def test_an_aside_goes_with_its_probe_and_its_database() -> None:
    """Nothing of it is left, neither samples nor headers."""
    exposition = Exposition()
    leaving = (partial(exposition.drop_probe, "tables"), partial(exposition.drop_database, SHOP))
    for leave in leaving:
        exposition.absorb(SPLIT, split(kinds=[{"kind": "index", "kind_scans": 3}]))
        assert b"kind_scans" in exposition.page(openmetrics=False)
        leave()
        assert exposition.page(openmetrics=False) == b""


def test_the_bound_on_series_holds_for_asides_too() -> None:
    """What finds no room is counted; the probe's own series come first."""
    exposition = Exposition(limit=3)
    exposition.absorb(SPLIT, split(kinds=[{"kind": each, "kind_scans": 1} for each in "abc"]))
    assert len(samples(exposition, "kind")) == 3
    assert exposition.dropped("shop") == 2


def test_an_aside_may_not_take_a_metric_that_is_there() -> None:
    """The probe's own columns and other probes' are compared with it."""
    clash = replace(TABLES, name="tables_kind", metrics=(Metric("scans", Kind.COUNTER, "Scans."),))
    assert clashes([SPLIT, clash]) == ["pgarchitect_tables_kind_scans"]


def test_a_series_whose_row_is_gone_is_gone_and_comes_back_where_it_was() -> None:
    """A returning counter never falls."""
    exposition = Exposition()
    exposition.absorb(TABLES, reading([table(scans=10)]))
    exposition.absorb(TABLES, reading([], []))
    assert samples(exposition) == {}
    exposition.absorb(TABLES, reading([table(scans=3)], [table(scans=3)]))
    assert scans(exposition) == 13


def test_what_is_remembered_of_gone_series_is_bounded() -> None:
    """A million names seen once do not stay in memory."""
    exposition = Exposition()
    for turn in range(30):
        exposition.absorb(TABLES, reading([table(f"t{turn}_{each}") for each in range(100)]))
    exposition.absorb(TABLES, reading([table("t0_0", scans=1), table("t29_0", scans=1)]))
    assert (scans(exposition, "t0_0"), scans(exposition, "t29_0")) == (1, 10)


def test_exposed_rows_replace_the_rows_and_their_counters_are_growth() -> None:
    """A top list with its bucket for the others adds up, whatever rows it was made of."""
    exposition = Exposition()
    for _ in range(2):
        seen = reading([table("detail", scans=999)], [])
        exposed = Measurement(**{**vars(seen), "exposed": [table("other", scans=5)]})
        exposition.absorb(TABLES, exposed)
    assert samples(exposition)["pgarchitect_tables_scans_total", "shop", "other"] == 10
    assert ("pgarchitect_tables_scans_total", "shop", "detail") not in samples(exposition)


def test_equal_label_sets_make_one_line() -> None:
    """Counters are summed, of gauges the last wins."""
    exposition = Exposition()
    exposition.absorb(TABLES, reading([table(size=1, scans=10), table(size=2, scans=5)]))
    exposition.absorb(TABLES, reading([table(size=3), table(size=4)], [table(scans=1), table(scans=2)]))
    assert samples(exposition)["pgarchitect_tables_size_bytes", "shop", "rooms"] == 4
    assert scans(exposition) == 18


@pytest.mark.parametrize("nothing", [None, float("nan"), Decimal("NaN"), Decimal("sNaN"), "text", [1]])
def test_what_is_no_number_has_no_sample(nothing: object) -> None:
    """Better no line than a wrong one."""
    exposition = Exposition()
    exposition.absorb(TABLES, reading([table(size=nothing, scans=nothing)]))
    assert samples(exposition) == {}


@pytest.mark.parametrize(
    ("value", "shown"),
    [(True, 1), (Decimal("1.5"), 1.5), (10**400, float("inf")), (-(10**400), float("-inf")), (1e300, 1e300)],
)
def test_every_kind_of_number_is_read_back(value: object, shown: float) -> None:
    """Booleans, numerics and the very big ones."""
    exposition = Exposition()
    exposition.absorb(TABLES, reading([table(size=value)]))
    assert samples(exposition)["pgarchitect_tables_size_bytes", "shop", "rooms"] == shown


def test_a_row_says_itself_which_database_it_is_of() -> None:
    """A server-wide reading fills the label per row; empty is the server as a whole."""
    exposition = Exposition()
    rows: Rows = [{"database": "shop", "commits": 7}, {"database": None, "commits": 1}]
    exposition.absorb(PER_DATABASE, reading(rows, target=SERVER, probe="databases"))
    assert samples(exposition, "") == {
        ("pgarchitect_databases_commits_total", "shop", ""): 7,
        ("pgarchitect_databases_commits_total", "", ""): 1,
    }


@pytest.mark.parametrize("result", [each for each in Result if each is not Result.OK])
def test_a_run_without_an_answer_leaves_the_last_values(result: Result) -> None:
    """The age of the last success tells how old they are."""
    exposition = Exposition()
    exposition.absorb(TABLES, reading([table()]))
    before = exposition.page(openmetrics=False)
    exposition.absorb(TABLES, Measurement(target=SHOP, probe="tables", taken_at=NOW, result=result))
    assert exposition.page(openmetrics=False) == before


def test_series_beyond_the_limit_are_left_away_and_counted() -> None:
    """The limit is of the server, whichever probe comes; whole rows are left away."""
    exposition = Exposition(limit=10)
    exposition.absorb(TABLES, reading([table(f"t{each}") for each in range(4)]))
    exposition.absorb(TABLES, reading([table(f"u{each}") for each in range(4)], target=Target("shop", "other")))
    assert len(samples(exposition)) == 10
    assert (exposition.dropped("shop"), exposition.left_away()["shop"]) == (6, 6)
    assert exposition.dropped("elsewhere") == 0


def test_dropping_ends_when_there_is_room_again() -> None:
    """`dropped` speaks of the newest readings, the counter of all."""
    exposition = Exposition(limit=2)
    exposition.absorb(TABLES, reading([table("a"), table("b")]))
    exposition.absorb(TABLES, reading([table("a")], []))
    assert (exposition.dropped("shop"), exposition.left_away()["shop"]) == (0, 2)


def test_what_is_watched_no_more_disappears() -> None:
    """A target, a database or a probe that went takes its series along."""
    exposition = Exposition()
    other = Target("shop", "other")
    for target in (SHOP, other, Target("reports", "x")):
        exposition.absorb(TABLES, reading([table()], target=target))
    exposition.drop_database(other)
    exposition.drop_target("reports")
    assert {database for _, database, _ in samples(exposition)} == {"shop"}
    exposition.drop_probe("tables")
    assert exposition.page(openmetrics=False) == b""


def test_a_probe_declared_anew_keeps_its_counters() -> None:
    """A reload of the configuration is no reason to fall."""
    exposition = Exposition()
    exposition.absorb(TABLES, reading([table(scans=10)]))
    again = replace(TABLES, every=30)
    exposition.absorb(again, reading([table(scans=2)], None))
    assert scans(exposition) == 10


def test_two_columns_never_share_a_name() -> None:
    """The second is not shown, since Prometheus would refuse the whole page; the catalogue can ask beforehand."""
    first = Probe(name="a_b", scope=Scope.SERVER, every=15, metrics=(Metric("c", Kind.GAUGE, "First."),))
    second = Probe(name="a", scope=Scope.SERVER, every=15, metrics=(Metric("b_c", Kind.COUNTER, "Second."),))
    own = Probe(name="probe", scope=Scope.SERVER, every=15, metrics=(Metric("success", Kind.GAUGE, "Ours."),))
    exposition = Exposition()
    for probe, column in ((first, "c"), (second, "b_c"), (own, "success")):
        exposition.absorb(probe, reading([{column: 1}], target=SERVER, probe=probe.name))
    assert set(samples(exposition)) == {("pgarchitect_a_b_c", "", "")}
    exposition.drop_probe("a_b")
    exposition.absorb(second, reading([{"b_c": 1}], target=SERVER, probe="a"))
    assert set(samples(exposition)) == {("pgarchitect_a_b_c_total", "", "")}, "the name is free now"
    assert clashes([first, second, own]) == ["pgarchitect_a_b_c", "pgarchitect_probe_success"]


def full() -> Scrape:
    """A page with something of everything."""
    pile = Pile(
        targets_=[server(), server("reports", up=False)],
        alerts_=[alert(finding(rule="r.long"))] * 2,
        not_evaluated_=[unknown()],
    )
    exposition = Exposition(limit=4)
    own = Own(pile, exposition.left_away)
    own.notified("ops", "delivered")
    exposition.absorb(TABLES, reading([table('a"b\\c\nd'), table("ü"), table("x")]))
    exposition.absorb(PER_DATABASE, reading([{"database": "shop", "commits": 1}], target=SERVER))
    return Scrape(pile, exposition, own)


async def test_what_is_always_there_is_there() -> None:
    """CONTRACT §Metrics, one series of each."""
    text = (await full().answer("", "")).body.decode()
    for line in (
        'pgarchitect_up{target="shop"} 1',
        'pgarchitect_up{target="reports"} 0',
        'pgarchitect_probe_success{target="shop",database="",probe="server"} 1',
        'pgarchitect_probe_success{target="shop",database="shop",probe="auth_links"} 0',
        'pgarchitect_probe_duration_seconds{target="shop",database="",probe="server"} 0.012',
        'pgarchitect_probe_result{target="shop",database="shop",probe="auth_links",result="denied"} 1',
        'pgarchitect_findings{target="shop",database="shop",rule="r.long",severity="warning",state="firing"} 2',
        'pgarchitect_not_evaluated{target="shop",database="shop",rule="auth_links.orphaned_profile",needs="rights"} 1',
        'pgarchitect_self_database_seconds_total{target="shop"} 12.5',
        'pgarchitect_notifications_total{receiver="ops",outcome="delivered"} 1',
        'pgarchitect_series_dropped_total{target="shop"} 3',
        'pgarchitect_series_dropped_total{target="reports"} 0',
    ):
        assert f"\n{line}\n" in text
    assert "\npgarchitect_probe_last_success_timestamp_seconds{" in text
    assert "\npgarchitect_build_info{version=" in text
    assert "\nprocess_cpu_seconds_total " in text


async def test_both_forms_are_read_by_the_parsers_and_say_the_same() -> None:
    """OpenMetrics ends with its last line and names a counter's family without _total."""
    scrape = full()
    text, openmetrics = await scrape.answer("text/plain", ""), await scrape.answer(PROMETHEUS, "")
    assert (text.content_type, openmetrics.content_type) == (TEXT, OPENMETRICS)
    plain = {(each.name, str(each.labels)) for found in read_text(text.body.decode()) for each in found.samples}
    opened = {
        (each.name, str(each.labels)) for found in read_openmetrics(openmetrics.body.decode()) for each in found.samples
    }
    assert plain == opened
    assert openmetrics.body.endswith(b"\n# EOF\n")
    assert b"# TYPE pgarchitect_tables_scans counter" in openmetrics.body
    assert b"# TYPE pgarchitect_tables_scans_total counter" in text.body


async def test_the_packed_page_is_the_page_and_is_packed_once() -> None:
    """The same bytes are served until something changes."""
    scrape = full()
    plain, packed = await scrape.answer("", ""), await scrape.answer("", "deflate, gzip")
    assert gzip.decompress(packed.body) == plain.body
    assert (plain.packed, packed.packed) == (False, True)
    assert (await scrape.answer("", "gzip")).body is packed.body


async def test_the_page_follows_the_shelf() -> None:
    """A new revision is a new page."""
    pile = Pile(targets_=[server()])
    exposition = Exposition()
    scrape = Scrape(pile, exposition, Own(pile, exposition.left_away))
    await scrape.answer("", "gzip")
    pile.targets_, pile.revision = [server(up=False)], 2
    assert b'pgarchitect_up{target="shop"} 0' in gzip.decompress((await scrape.answer("", "gzip")).body)


@pytest.mark.parametrize(
    ("accept", "openmetrics"),
    [
        ("", False),
        ("*/*", False),
        (PROMETHEUS, True),
        ("application/openmetrics-text;version=1.0.0;q=0", False),
        ("application/openmetrics-text;q=0.2,text/plain;q=0.9", False),
        ("application/openmetrics-text;q=x", False),
    ],
)
def test_a_scraper_gets_the_form_it_asks_for(accept: str, *, openmetrics: bool) -> None:
    """Plain text unless OpenMetrics is wanted at least as much."""
    assert wants_openmetrics(accept) is openmetrics


async def test_promtool_finds_no_error() -> None:
    """The tool's own check, over everything we write."""
    promtool = shutil.which("promtool")
    if promtool is None:
        absent("promtool (Debian's prometheus) is not installed")
    page = (await full().answer("", "")).body
    done = subprocess.run([promtool, "check", "metrics"], input=page, capture_output=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


BOUNCER = Probe(
    name="pgbouncer",
    scope=Scope.POOLER,
    every=15,
    labels=("database", "user"),
    metrics=(Metric("pools_client_active_connections", Kind.GAUGE, "Clients."), Metric("waits", Kind.COUNTER, "So.")),
)


@pytest.mark.parametrize("openmetrics", [False, True])
def test_pgbouncers_are_known_by_their_exporters_names_too(*, openmetrics: bool) -> None:
    """The same samples under both names, whatever stands in the labels; others keep the one they have."""
    exposition, odd = Exposition(compat=Compat(["pgbouncer_exporter"])), "\npgarchitect_pgbouncer_waits_total{"
    rows = [{"database": "shop", "user": odd, "pools_client_active_connections": 3, "waits": 5}]
    exposition.absorb(BOUNCER, reading(rows, probe="pgbouncer", target=Target("pool")))
    exposition.absorb(TABLES, reading([table()]))
    text = exposition.page(openmetrics=openmetrics).decode()
    known = list(read_openmetrics(f"{text}# EOF\n") if openmetrics else read_text(text))
    values = {sample.name: (dict(sample.labels), sample.value) for each in known for sample in each.samples}
    for name, value in (("pools_client_active_connections", 3), ("waits_total", 5)):
        assert values[f"pgarchitect_pgbouncer_{name}"] == values[f"pgbouncer_{name}"]
        assert values[f"pgbouncer_{name}"][1] == value
        assert values[f"pgbouncer_{name}"][0]["user"] == odd
    assert "tables_size_bytes" not in values
    exposition.turn_to(Compat())
    assert "\npgbouncer_" not in exposition.page(openmetrics=openmetrics).decode()


def test_a_pgbouncer_is_up_by_its_exporters_name_too() -> None:
    """Asked for, and of PgBouncers only."""
    shelf = Pile(targets_=[server(), replace(server(), server="pool", kind="pgbouncer", up=False)])
    asked = Own(shelf, dict, lambda: Compat(["pgbouncer_exporter"])).page(openmetrics=False).decode()
    assert [line for line in asked.splitlines() if line.startswith("pgbouncer_up")] == ['pgbouncer_up{target="pool"} 0']
    assert "pgbouncer_up" not in Own(shelf, dict).page(openmetrics=False).decode()
