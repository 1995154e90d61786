"""What the daemon's store knows of findings and earlier hours, for `snapshot --store`: nothing in it is changed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from monitor.config.load import Config
from monitor.errors import StoreError
from monitor.findings.silences import Silences, silence_from_document
from monitor.history.earlier import HOUR_SECONDS, LOOKED_UP, Ledge, beginning, bites, hour_of
from monitor.history.past import Baseline, Key
from monitor.model import Alert, Server, State
from monitor.probe import Probe
from monitor.report.glimpse import Earlier, Past
from monitor.report.review import Known, Quiet
from monitor.store.alerts import StoredAlerts
from monitor.store.engine import Store
from monitor.store.hours import StoredHours
from monitor.store.records import SilenceRow
from monitor.store.silences import StoredSilences


async def history(config: Config) -> tuple[Mapping[str, Known], str]:
    """Give what the ledger knows of each finding that stands, by fingerprint, and a remark; raises StoreError."""
    store = await Store.look_into(config.store_url.reveal())
    try:
        alerts = await StoredAlerts(store).load()
        rows = await StoredSilences(store).load()
    finally:
        await store.close()
    labels = {server.name: server.labels for server in config.servers}
    silences, now = _silences(rows), datetime.now(UTC)
    standing = [replace(each, labels=labels.get(each.source.server, {})) for each in alerts if _stands(each)]
    return {alert.finding.fingerprint: _known(alert, silences, now) for alert in standing}, store.notice


def past(config: Config) -> Past:
    """Give who looks into the store for what was kept of a probe's keys."""

    async def look(server: Server, probe: Probe, keys: Collection[Key]) -> Earlier | None:
        try:
            store = await Store.look_into(config.store_url.reveal())
        except StoreError:
            return None
        try:
            return await _earlier(StoredHours(store), server, probe, keys, config.retention_statements)
        except StoreError:
            return None
        finally:
            await store.close()

    return look


async def _earlier(
    stored: StoredHours, server: Server, probe: Probe, keys: Collection[Key], retention: float
) -> Earlier | None:
    first, present = await stored.begins(server.name, probe.name), hour_of(datetime.now(UTC))
    if first is None or probe.history is None:
        return None
    ledge = Ledge(
        stored=stored,
        server=server.name,
        probe=probe.name,
        kept=probe.history,
        since=max(first, present - int(retention // HOUR_SECONDS)),
        present=present,
    )
    known: dict[Key, Baseline] = {}
    for part in bites(keys, LOOKED_UP):
        known.update(await ledge.baselines(part))
    return Earlier(begins=beginning(ledge.since), baselines=known)


def _stands(alert: Alert) -> bool:
    return alert.state is not State.RESOLVED


def _silences(rows: list[SilenceRow]) -> Silences:
    """Those of another version, which cannot be read, keep nobody quiet here either."""
    silences = Silences()
    for row in rows:
        try:
            silences.restore(silence_from_document(row.document))
        except ValueError:
            continue
    return silences


def _known(alert: Alert, silences: Silences, now: datetime) -> Known:
    silence = silences.silenced_by(alert.all_labels, now)
    return Known(
        since=alert.starts_at,
        occurrences=alert.occurrences,
        acked=alert.acked,
        silenced=Quiet(author=silence.author, comment=silence.comment, until=silence.ends_at) if silence else None,
    )
