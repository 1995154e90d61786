"""Rules judged one by one: what breaks says so, and harms no other."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

import pytest

from monitor.errors import Needs
from monitor.measurement import Measurement, number
from monitor.model import Area, Finding, NoVerdict, Object, Result, Severity, Target
from monitor.rule import Rule
from monitor.rules.evaluate import evaluate


@dataclass(frozen=True, kw_only=True)
class TooMany(Rule):
    """There are too many.

    Why: it is a test.
    What to do: nothing.
    When it is wrong: never.
    Cost: none.
    """

    id: ClassVar[str] = "tables.too_many"
    area: ClassVar[Area] = Area.SCHEMA
    limit: float = 3

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        for row in seen.rows:
            if number(row, "count") > self.limit:
                yield self.finding(
                    seen,
                    subject=str(row["name"]),
                    object=Object("table", name=str(row["name"])),
                    summary="many",
                    impact="none",
                    severity=Severity(str(row.get("severity", "warning"))),
                    count=number(row, "count"),
                )


class Breaks(TooMany):
    """It breaks."""

    id: ClassVar[str] = "tables.breaks"

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        yield from super().check(seen)
        raise ZeroDivisionError


def seen(*rows: dict[str, object], result: Result = Result.OK, needs: Needs | None = None) -> Measurement:
    return Measurement(
        target=Target("shop", "app"),
        probe="tables",
        taken_at=datetime.now(UTC),
        rows=rows,
        result=result,
        needs=needs,
        reason="because" if result is not Result.OK else "",
    )


def test_a_broken_rule_harms_no_other_and_keeps_what_it_said() -> None:
    """Its findings stand, the rest of it is not evaluated, and the next rule is heard."""
    broken, well = evaluate([Breaks(), TooMany()], seen({"name": "a", "count": 4}))
    assert [finding.subject for finding in broken.findings] == ["a"]
    assert [verdict.needs for verdict in broken.no_verdicts] == [Needs.REPAIR]
    assert "ZeroDivisionError" in broken.no_verdicts[0].reason
    assert (len(well.findings), well.no_verdicts) == (1, ())


def test_a_missing_number_is_no_verdict() -> None:
    """NULL for want of rights; a column that is not there at all is our own fault."""
    rows: list[tuple[dict[str, object], Needs]] = [
        ({"name": "a", "count": None}, Needs.RIGHTS),
        ({"name": "a"}, Needs.REPAIR),
    ]
    for row, needs in rows:
        (judged,) = evaluate([TooMany()], seen(row))
        assert [verdict.needs for verdict in judged.no_verdicts] == [needs]


@pytest.mark.parametrize(
    ("result", "needs"),
    [
        (Result.DENIED, Needs.RIGHTS),
        (Result.TIMEOUT, Needs.TIME),
        (Result.BROKEN, Needs.REPAIR),
        (Result.SKIPPED, None),
    ],
)
def test_a_measurement_without_an_answer_gives_no_verdict(result: Result, needs: Needs | None) -> None:
    """Never findings, never silence; a subject that does not exist does not apply."""
    (judged,) = evaluate([TooMany()], seen({"name": "a", "count": 9}, result=result, needs=needs))
    assert judged.findings == ()
    assert [(verdict.reason, verdict.needs) for verdict in judged.no_verdicts] == [("because", needs)]
    assert judged.no_verdicts[0].applies is (needs is not None)


def test_one_subject_is_accused_once_by_the_worst() -> None:
    """Two rows of one subject make one finding."""
    rows: list[dict[str, object]] = [{"name": "a", "count": 4}, {"name": "a", "count": 5, "severity": "critical"}]
    (judged,) = evaluate([TooMany()], seen(*rows))
    assert [(finding.severity, finding.evidence["count"]) for finding in judged.findings] == [(Severity.CRITICAL, 5)]


def test_the_fingerprint_depends_on_no_number() -> None:
    """The same object with other figures is the same finding; another database is not."""
    one, two = (evaluate([TooMany()], seen({"name": "a", "count": n}))[0].findings[0] for n in (4, 400))
    assert one.fingerprint == two.fingerprint


def test_a_note_of_the_configuration_is_evidence() -> None:
    """So the demo says that its thresholds were shortened."""
    (judged,) = evaluate([TooMany(note="shortened for a test")], seen({"name": "a", "count": 4}))
    assert judged.findings[0].evidence["note"] == "shortened for a test"


def test_the_docstring_is_the_manual() -> None:
    """Fault and the four headings."""
    manual = TooMany.manual()
    assert manual["fault"] == "There are too many."
    assert (manual["Why"], manual["Cost"]) == ("it is a test.", "none.")
