"""What is judged of the write-ahead log: archiving that fails, and WAL that is kept."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from monitor.probe import (
    GIB,
    Area,
    Confidence,
    Finding,
    Measurement,
    Needs,
    NoVerdict,
    Object,
    Remedy,
    Row,
    Rule,
    Scalar,
    Severity,
    duration,
    number,
    plural,
    size,
)

MANAGED = "On managed services this is the provider's: look in its console, and open a ticket."


def row_of(rows: Sequence[Row], *kinds: str) -> Row | None:
    """Give the row of a kind, or of the first of these kinds that is there."""
    return next((row for kind in kinds for row in rows if row["kind"] == kind), None)


def unread(seen: Measurement, kind: str) -> NoVerdict:
    """Say why a view's row is not there."""
    refused = row_of(seen.rows, f"no_{kind}")
    reason = str(refused["reason"]) if refused else f"the server gives no row of {kind}"
    return NoVerdict(reason=reason, needs=Needs.RIGHTS)


def figure(row: Row | None, column: str) -> float | None:
    """Give a number, or None where the row or the number is not there."""
    value = row.get(column) if row else None
    return float(value) if isinstance(value, int | float) else None


@dataclass(frozen=True, kw_only=True)
class WalRule(Rule):
    """What the rules on the write-ahead log share: they accuse the server."""

    area: ClassVar[Area] = Area.OPERATIONS

    def accuse(
        self, seen: Measurement, *, summary: str, impact: str, remedy: Remedy, **evidence: Scalar | None
    ) -> Finding:
        """Accuse the server; evidence that is not known is left out."""
        return self.finding(
            seen,
            subject=seen.target.server,
            object=Object("server", name=seen.target.server),
            summary=summary,
            impact=impact,
            remedy=remedy,
            severity=self.severity,
            confidence=Confidence.HIGH,
            in_database=None,
            **{name: value for name, value in evidence.items() if value is not None},
        )


@dataclass(frozen=True, kw_only=True)
class ArchiverFailing(WalRule):
    """WAL is not archived.

    Why: the server keeps each WAL file until it is archived: the disk fills until all writes stop, and a restore can
    reach no later than the last file that was archived.
    What to do: read the server's log for what archive_command said, and mend that (rights, space or network of the
    archive). The server tries again by itself. To give up archiving is a human's choice.
    When it is wrong: an archive that is down for a short, known time. Silence it for that time. One failed attempt that
    is followed by a success is not told, and a standby archives only with archive_mode = always.
    Cost: none beyond the probe's queries.
    """

    id: ClassVar[str] = "wal.archiver_failing"
    severity: Severity = Severity.CRITICAL
    hold: float = 60.0
    recent_seconds: float = 300.0
    min_waiting: float = 16.0

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        archiver, position = row_of(seen.rows, "archiver"), row_of(seen.rows, "primary", "standby")
        if archiver is None or position is None:
            yield unread(seen, "archiver" if archiver is None else "position")
            return
        if not archives(position):
            yield NoVerdict(reason="the server does not archive", needs=None)
            return
        failed, archived = (figure(archiver, f"last_{what}_age_seconds") for what in ("failed", "archived"))
        waiting = figure(row_of(seen.rows, "waiting"), "archive_waiting")
        if failed is not None and failed <= self.recent_seconds and (archived is None or failed < archived):
            yield self._failing(seen, archiver, archived, waiting)
        elif position["archiving_set"] is False and (waiting or 0) >= self.min_waiting:
            yield self._unset(seen, archived, waiting)

    def _failing(self, seen: Measurement, archiver: Row, archived: float | None, waiting: float | None) -> Finding:
        since = f"nothing archived for {duration(archived)}" if archived is not None else "nothing archived so far"
        wal = str(archiver["last_failed_wal"])
        return self.accuse(
            seen,
            summary=f"archiving {wal} fails; {since}{waits(waiting)}",
            impact="WAL stays on the server until its disk is full and writes stop; a restore reaches nothing newer",
            remedy=Remedy(
                caution="The log says what archive_command answered: mend the archive (rights, space, network) and the "
                f"server goes on by itself. A new archive_command needs a reload only. {MANAGED}"
            ),
            count=round(number(archiver, "archive_failures")),
            last_failed_wal=wal,
            unarchived_seconds=rounded(archived),
            waiting=rounded(waiting),
            waiting_bytes=rounded(kept_bytes(seen, waiting)),
        )

    def _unset(self, seen: Measurement, archived: float | None, waiting: float | None) -> Finding:
        return self.accuse(
            seen,
            summary=f"archive_mode is on, and neither archive_command nor archive_library is set{waits(waiting)}",
            impact="WAL stays on the server until its disk is full and writes stop",
            remedy=Remedy(
                caution="Set archive_command (a reload is enough), or turn archive_mode off (a restart), if nothing is "
                f"to be archived. {MANAGED}"
            ),
            count=round(waiting or 0),
            unarchived_seconds=rounded(archived),
            waiting_bytes=rounded(kept_bytes(seen, waiting)),
        )


def archives(position: Row) -> bool:
    """Tell whether the server archives in its present role."""
    return position["archive_mode"] == "always" or (position["archive_mode"] == "on" and position["kind"] == "primary")


def waits(waiting: float | None) -> str:
    """Say how many files wait, where that is known."""
    return f"; {plural(waiting, 'file waits', 'files wait')}" if waiting else ""


def kept_bytes(seen: Measurement, files: float | None) -> float | None:
    """Give the size of so many WAL files."""
    each = figure(row_of(seen.rows, "primary", "standby"), "segment_bytes")
    return files * each if files is not None and each is not None else None


def rounded(value: float | None) -> int | None:
    """Round what is known."""
    return None if value is None else round(value)


@dataclass(frozen=True, kw_only=True)
class Growth(WalRule):
    """WAL is kept far beyond what the settings ask for.

    Why: what is kept is not reused: at the rate of WAL it goes on growing until the disk is full and all writes stop.
    Told when the WAL directory is `factor` times the largest of max_wal_size, min_wal_size and wal_keep_size (and
    `min_bytes` more), or when at the present rate of WAL an inactive slot passes max_slot_wal_keep_size within
    `horizon` and loses its consumer.
    What to do: see to what keeps it, which is named: a slot whose consumer is away or slow, or an archive that fails.
    When it is wrong: a bulk load that outruns the checkpointer, for some minutes; the rule's hold is longer than most.
    Cost: the WAL directory is listed once a minute, 5 µs a segment.
    """

    id: ClassVar[str] = "wal.growth"
    hold: float = 900.0
    keep: float = 300.0
    factor: float = 2.0
    min_bytes: float = 4 * GIB
    horizon: float = 14400.0

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        position, directory = row_of(seen.rows, "primary", "standby"), row_of(seen.rows, "directory")
        if position is None:
            yield unread(seen, "position")
            return
        slot, rate = row_of(seen.rows, "slot"), wal_rate(seen, str(position["kind"]))
        kept, wanted = figure(directory, "directory_bytes"), asked_for(position)
        safe = figure(slot, "slot_safe_bytes")
        if kept is not None and kept > self.factor * wanted and kept - wanted > self.min_bytes:
            yield self._kept(seen, kept, wanted, slot, rate)
        elif slot and not slot["slot_active"] and safe is not None and rate and max(safe, 0) / rate <= self.horizon:
            yield self._falling_out(seen, slot, max(safe, 0) / rate, rate)
        elif kept is None:
            yield unread(seen, "directory")

    def _kept(self, seen: Measurement, kept: float, wanted: float, slot: Row | None, rate: float | None) -> Finding:
        why, step = cause(seen, slot, kept)
        return self.accuse(
            seen,
            summary=f"{size(kept)} of WAL kept where the settings ask for {size(wanted)}{hourly(rate)}; {why}",
            impact="the disk fills until the server stops accepting writes",
            remedy=Remedy(caution=f"{step} {MANAGED}"),
            kept_bytes=round(kept),
            settings_bytes=round(wanted),
            limit_bytes=round(max(self.factor * wanted, wanted + self.min_bytes)),
            wal_bytes_per_second=rounded(rate),
            slot=str(slot["slot"]) if slot else None,
            slot_bytes=rounded(figure(slot, "slot_bytes")),
            archive_waiting=rounded(figure(row_of(seen.rows, "waiting"), "archive_waiting")),
        )

    def _falling_out(self, seen: Measurement, slot: Row, left: float, rate: float) -> Finding:
        return self.accuse(
            seen,
            summary=f"inactive slot {slot['slot']} passes max_slot_wal_keep_size in {duration(left)}{hourly(rate)}",
            impact="the server drops the WAL the slot's consumer needs, which must then start anew",
            remedy=Remedy(
                caution="Start the slot's consumer, or raise max_slot_wal_keep_size if the disk has the space. If "
                "nobody is to come back, drop the slot."
            ),
            seconds_left=round(left),
            slot=str(slot["slot"]),
            slot_safe_bytes=rounded(figure(slot, "slot_safe_bytes")),
            wal_bytes_per_second=round(rate),
            horizon_seconds=self.horizon,
        )


def asked_for(position: Row) -> float:
    """Give how much WAL the settings ask to keep."""
    names = ("max_wal_size_bytes", "min_wal_size_bytes", "wal_keep_size_bytes")
    return max(figure(position, name) or 0.0 for name in names)


def wal_rate(seen: Measurement, kind: str) -> float | None:
    """Give the bytes of WAL a second over the window; None while they are not known."""
    grown = row_of(seen.window_growth or (), kind)
    column = "written_bytes" if kind == "primary" else "received_bytes"
    found = figure(grown, column)
    return found / seen.window_seconds if found is not None and seen.window_seconds and not seen.lifetime else None


def hourly(rate: float | None) -> str:
    """Say how much WAL comes in an hour, where that is known."""
    return f", {size(rate * 3600)} more each hour" if rate else ""


def cause(seen: Measurement, slot: Row | None, kept: float) -> tuple[str, str]:
    """Name what keeps the WAL, by what explains half of it, and what to do about that."""
    waiting = kept_bytes(seen, figure(row_of(seen.rows, "waiting"), "archive_waiting")) or 0.0
    held = figure(slot, "slot_bytes") or 0.0
    if slot and held >= max(kept / 2, waiting):
        return f"slot {slot['slot']} keeps {size(held)} of it", "Start the slot's consumer, or drop the slot."
    if waiting >= kept / 2:
        return f"{size(waiting)} wait to be archived", "Mend the archive: see wal.archiver_failing."
    return "neither a slot nor the archive explains it", "Look at the server's log for checkpoints that do not end."
