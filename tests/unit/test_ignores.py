"""`ignore:` entries: which findings they cover, until when, and which of them do nothing."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from monitor.findings.ignores import Ignore, Ignores
from monitor.model import Finding, Target
from tests.alerts import NOON, at, finding

TODAY = date(2027, 1, 31)
AUDIT = finding("public.audit_log", rule="index.unused")


def entry(rule: str = "*", reason: str = "quarter-end reports", **globs: object) -> Ignore:
    return Ignore(rule=rule, reason=reason, **globs)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "each",
    [
        entry(),
        entry("index.unused"),
        entry("index.*"),
        entry("index.unused", target="sh?p", database="shop", subject="public.audit_*"),
        entry("index.[tu]*"),
    ],
)
def test_an_entry_ignores_what_all_its_globs_cover(each: Ignore) -> None:
    """A glob that is not given covers anything."""
    assert Ignores([each]).ignored(AUDIT, TODAY) is each


@pytest.mark.parametrize(
    "each",
    [
        entry("index"),
        entry("Index.*"),
        entry(target="other"),
        entry(database=""),
        entry(database="other*"),
        entry(subject="audit_log"),
        entry(subject="PUBLIC.*"),
    ],
)
def test_an_entry_leaves_what_one_glob_does_not_cover(each: Ignore) -> None:
    """Case counts, and a glob covers the whole word."""
    assert Ignores([each]).ignored(AUDIT, TODAY) is None


@pytest.mark.parametrize(("glob", "ignored"), [(None, True), ("*", True), ("", True), ("?*", False), ("shop", False)])
def test_a_finding_about_a_whole_server_has_the_empty_database(glob: str | None, ignored: bool) -> None:  # noqa: FBT001
    whole: Finding = replace(AUDIT, target=Target("shop"))
    assert (Ignores([entry(database=glob)]).ignored(whole, TODAY) is not None) is ignored


def test_until_is_the_last_day_that_is_ignored() -> None:
    ignores = Ignores([entry(until=TODAY)])
    assert [ignores.ignored(AUDIT, TODAY + timedelta(days=days)) is not None for days in (-1, 0, 1)] == [
        True,
        True,
        False,
    ]


def test_an_entry_that_is_over_lets_another_one_ignore() -> None:
    old, new = entry(until=TODAY - timedelta(days=1)), entry("index.*")
    assert Ignores([old, new]).ignored(AUDIT, TODAY) is new


def test_entries_that_are_over_are_named() -> None:
    old, last, always = entry(until=TODAY - timedelta(days=1)), entry(until=TODAY), entry()
    assert Ignores([old, last, always]).expired(TODAY) == [old]


def test_entries_that_met_nothing_are_named() -> None:
    """An entry that another one comes before is not idle; nor is one that is over and would cover something."""
    broad, narrow, over = entry(), entry("index.*"), entry("index.unused", until=TODAY - timedelta(days=1))
    idle = entry("pool.*")
    ignores = Ignores([broad, narrow, over, idle])
    assert ignores.unused() == [broad, narrow, over, idle]
    ignores.ignored(AUDIT, TODAY)
    assert ignores.unused() == [idle]


def test_another_configuration_keeps_what_is_known_of_the_entries_that_stay() -> None:
    met, idle, goes = entry("index.*"), entry("pool.*"), entry("index.unused")
    before = Ignores([met, idle, goes])
    before.ignored(AUDIT, TODAY)
    assert before.tried(idle, NOON, answered=True) == 0
    after = Ignores([idle, met, entry("wal.*")], before)
    assert after.unused() == [idle, entry("wal.*")]
    assert (after.met, after.tried(idle, at(60), answered=True)) == ({met}, 60)


def test_an_entry_is_tried_anew_when_what_it_concerns_answers_again() -> None:
    idle = entry("pool.*")
    ignores = Ignores([idle])
    seconds = [ignores.tried(idle, at(each), answered=each != 50) for each in (0, 40, 50, 60, 80)]
    assert seconds == [0, 40, 0, 0, 20]


@pytest.mark.parametrize(("glob", "concerned"), [(None, True), ("sh*", True), ("pool", False), ("", False)])
def test_an_entry_concerns_the_servers_its_glob_names(glob: str | None, concerned: bool) -> None:  # noqa: FBT001
    assert entry(target=glob).concerns("shop") is concerned


def test_an_entry_is_named_by_its_globs() -> None:
    """The reason and the day are no part of its name: they may be reworded."""
    each = entry("index.*", target="shop", database="", subject="public.*", until=TODAY)
    assert str(each) == 'index.*, target shop, database "", subject public.*'
    assert str(entry("index.*")) == "index.*"


def test_without_entries_nothing_is_ignored() -> None:
    assert (Ignores().ignored(AUDIT, TODAY), Ignores().unused(), Ignores().expired(TODAY)) == (None, [], [])


@pytest.mark.parametrize(("rule", "reason"), [("", "x"), ("*", " ")])
def test_an_entry_names_its_rule_and_its_reason(rule: str, reason: str) -> None:
    with pytest.raises(ValueError, match="empty"):
        entry(rule, reason)
