"""What probes remember, through a restart of the monitor: it goes on as if there had been none, or begins afresh."""

import json
from collections.abc import Mapping
from typing import TypeVar

import pytest

from monitor.lasting import Memory, name_of
from monitor.probe import Lasting, Row
from probes.replication_past import Standbys
from probes.sequences_course import Courses
from probes.server import Start
from probes.settings import Known
from probes.sizes_forecast import Limits, SizeLimit
from probes.vacuum_burn import WRAP, Burn

T = TypeVar("T", bound=Lasting)
HOUR, DAY = 3600.0, 86400.0
GIB = 2.0**30
LIMITS = (SizeLimit(limit_bytes=500 * GIB, database="shop"),)


def again(kept: T) -> T:
    """Give what a restart makes of it."""
    text = json.dumps(kept.document())
    return Memory(documents={name_of(type(kept)): text}).of(type(kept))


def sender(name: str = "one", **given: object) -> Mapping[str, object]:
    plain = {"application": name, "slot": "", "logical": False, "hidden": False, "backup": False, "streaming": 1}
    return {**plain, "synchronous": 0, "replied_at": 1.0, **given}


def standbys(*names: str, at: float = 1000.0) -> Standbys:
    """Let some stand for 400 seconds."""
    known = Standbys()
    for moment in (at - 400, at):
        list(known.note([sender(name) for name in names], moment))
    return known


def missed(known: Standbys, at: float) -> list[tuple[object, object, object]]:
    return [(row["name"], row["gone_seconds"], row["stood_seconds"]) for row in known.lost(at)]


def test_a_standby_that_left_while_we_were_away_is_missed_from_our_return_on() -> None:
    """When it left meanwhile nobody knows; it stood for as long as we saw it."""
    known = again(standbys("one", "two"))
    for at in (8200.0, 8215.0):
        list(known.note([sender("two")], at))
    assert missed(known, 8215.0) == [("one", 15.0, 400.0)]


def test_one_that_was_missed_before_is_missed_since_then() -> None:
    """Nobody hears that it is over because we were restarted: through two restarts, too."""
    known = standbys("one")
    list(known.note([], 1200.0))
    known = again(again(known))
    list(known.note([], 1300.0))
    assert missed(known, 1300.0) == [("one", 300.0, 400.0)]


def test_one_that_is_back_is_missed_no_more_and_answers_anew() -> None:
    known = standbys("one")
    list(known.note([], 1200.0))
    known = again(known)
    (row,) = known.note([sender(replied_at=1.0)], 1300.0)
    assert missed(known, 1300.0) == []
    assert row["unanswered_seconds"] == 0
    list(known.note([], 1400.0))
    assert missed(known, 1430.0) == [("one", 130.0, 700.0)]


def test_after_a_day_away_no_standby_is_missed() -> None:
    """As without a restart."""
    known = again(standbys("one"))
    list(known.note([], 1001.0 + DAY))
    assert missed(known, 1001.0 + DAY) == []


def test_a_synchronous_standby_stays_one_and_a_backup_is_still_no_loss() -> None:
    known = Standbys()
    list(known.note([sender("sync", synchronous=1), sender("copy", backup=True)], 1000.0))
    known = again(known)
    list(known.note([], 1100.0))
    assert [(row["name"], row["was_synchronous"]) for row in known.lost(1130.0)] == [("sync", True)]


def setting(name: str, digest: str) -> Row:
    return {"setting": name, "digest": digest}


def test_a_setting_that_was_changed_while_we_were_away_is_told() -> None:
    """And those that changed before keep their time."""
    known = Known()
    for at, digest in ((1.0, "11"), (2.0, "22")):
        known.take([setting("work_mem", digest), setting("fsync", "33"), setting("jit", "44")], at)
    known = again(known)
    known.take([setting("work_mem", "22"), setting("fsync", "99"), setting("jit", "44")], 100.0)
    assert known.changed == {"work_mem": 2.0, "fsync": 100.0}
    known.take([setting("fsync", "99"), setting("jit", "45")], 200.0)
    assert known.changed == {"work_mem": 2.0, "fsync": 100.0, "jit": 200.0}


def test_no_hash_of_a_setting_is_kept_whole() -> None:
    """Some hold passwords, which a whole hash would let one try."""
    known = Known()
    known.take([setting("primary_conninfo", "8765432187654321")], 1.0)
    assert "87654321" not in json.dumps(known.document())
    assert len(str(known.document())) < 80


def sizes(known: Limits, hours: range) -> Row:
    """Let a database of 100 GiB grow by one each hour; give the last row."""
    (row,) = [known.take(hour * HOUR, [{"name": "shop", "bytes": (100 + hour) * GIB}], LIMITS)[0] for hour in hours][
        -1:
    ]
    return row


def test_a_forecast_of_a_size_keeps_its_points() -> None:
    """With a gap for the hours in which nobody looked."""
    before = Limits()
    sizes(before, range(40))
    row = sizes(again(before), range(45, 50))
    assert row["watched"] == 49 * HOUR
    assert isinstance(points := row["points"], list)
    assert [each.at / HOUR for each in points] == [*range(40), *range(45, 50)]


def sequences(kept: Courses, places: range) -> Row:
    row: Row = {"kind": "sequence", "schema": "s", "sequence": "q", "ascending": True, "used_ratio": 0.2}
    return [kept.take([{**row, "at": each * 900.0, "last_value": 1000 + each}])[0] for each in places][-1]


def test_a_forecast_of_a_sequence_keeps_its_points() -> None:
    """Also when there were so many that they lie further apart."""
    once, twice = Courses(), Courses()
    sequences(twice, range(150))
    assert sequences(again(twice), range(150, 200)) == sequences(once, range(200))
    assert sequences(once, range(200, 201))["pace"] == pytest.approx(1 / 900)


def test_a_forecast_of_ids_keeps_its_points() -> None:
    """Multixact ids that go round meanwhile, too; another cluster begins anew."""
    burn = Burn()
    for minute in range(100):
        burn.take(minute * 60.0, 7, 100.0 + minute, (WRAP - 3000 + 60 * minute) % WRAP)
    burn = again(burn)
    burn.take(110 * 60.0, 7, 210.0, 3600.0)
    assert burn.xids.per_second == pytest.approx(1 / 60)
    assert burn.mxids.per_second == 1
    assert burn.xids.seconds == 110 * 60.0
    other = again(burn)
    other.take(111 * 60.0, 8, 10.0, 5.0)
    assert other.xids.per_second is None


def test_a_restart_of_the_server_while_we_were_away_is_seen() -> None:
    start = Start()
    assert start.document() is None
    start.seconds = 12.5
    assert again(start).seconds == 12.5


@pytest.mark.parametrize("kind", [Standbys, Known, Limits, Courses, Burn, Start])
@pytest.mark.parametrize(
    "text",
    ["null", "7", '"x"', "[]", "{}", "[[1]]", '{"a": {}}', '{"a": 1}', '{"a": [[1, "x"]]}', '{"a": [[NaN, 1]]}'],
)
def test_whatever_is_not_understood_begins_afresh(kind: type[Lasting], text: str) -> None:
    """Nothing fails for it."""
    kept: object = Memory(documents={name_of(kind): text}).of(kind)
    if isinstance(kept, Standbys):
        list(kept.note([sender()], 10.0))
    elif isinstance(kept, Known):
        kept.take([setting("fsync", "1")], 10.0)
    elif isinstance(kept, Limits):
        sizes(kept, range(3))
    elif isinstance(kept, Courses):
        sequences(kept, range(3))
    elif isinstance(kept, Burn):
        kept.take(10.0, 7, 1.0, 1.0)
    assert type(kept) is kind


def test_of_hundreds_of_sequences_the_document_is_small_enough() -> None:
    """As many as the probe reads, watched for a month."""
    kept = Courses()
    row: Row = {"kind": "sequence", "schema": "public", "sequence": "orders_id_seq", "ascending": True}
    for place in range(96):
        kept.take([{**row, "used_ratio": 0.5, "at": place * 900.123, "last_value": 1e12 + place * 1234567}])
    assert 500 * len(json.dumps(kept.document(), separators=(",", ":"))) < 2**20
