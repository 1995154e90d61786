"""Which server answers, told by what it says of itself: figures made by hand."""

from dataclasses import replace

import pytest

from monitor.collect.identity import goes_on, turned
from monitor.probe import Facts

READ_AT = 1000.0
BEFORE = Facts(
    version_num=180000,
    version="18",
    database="shop",
    role="monitor",
    in_recovery=False,
    superuser=False,
    started_at=500.0,
    system_identifier=7,
    timeline=1,
)
UNTOLD = replace(BEFORE, system_identifier=None, timeline=None)


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (BEFORE, BEFORE),
        (BEFORE, replace(BEFORE, started_at=1001.0)),
        (BEFORE, replace(UNTOLD, started_at=1001.0)),
        (UNTOLD, replace(BEFORE, started_at=1001.0)),
        (replace(BEFORE, in_recovery=True, timeline=0), replace(BEFORE, timeline=2)),
    ],
    ids=["the same", "restarted", "it tells no longer", "it tells now", "promoted while we looked"],
)
def test_counters_go_on_in_the_same_server(before: Facts, now: Facts) -> None:
    assert goes_on(before, now, READ_AT)


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (BEFORE, replace(BEFORE, system_identifier=8)),
        (BEFORE, replace(BEFORE, system_identifier=8, started_at=1001.0)),
        (BEFORE, replace(BEFORE, started_at=999.0)),
        (BEFORE, replace(BEFORE, started_at=1001.0, timeline=2)),
        (UNTOLD, replace(UNTOLD, started_at=999.0)),
        (UNTOLD, replace(UNTOLD, started_at=1001.0, in_recovery=True)),
    ],
    ids=["another's files", "made since", "was running already", "promoted since", "untold", "a standby since"],
)
def test_another_server_has_counters_of_its_own(before: Facts, now: Facts) -> None:
    assert not goes_on(before, now, READ_AT)


@pytest.mark.parametrize(
    ("now", "what"),
    [
        (replace(BEFORE, started_at=1001.0), ""),
        (UNTOLD, ""),
        (replace(BEFORE, timeline=2), "another timeline"),
        (replace(BEFORE, in_recovery=True, timeline=0), "a standby where the primary was"),
        (replace(BEFORE, system_identifier=8), "another cluster"),
    ],
)
def test_a_failover_is_told_in_words(now: Facts, what: str) -> None:
    """A restart is none; neither is a server that keeps to itself who it is."""
    assert turned(BEFORE, now) == what
    if now.in_recovery:
        assert turned(now, BEFORE) == "a standby was promoted"
