"""What the daemon's store knows of findings, for `snapshot --store`: read once, nothing in it is changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from monitor.config import Config
from monitor.findings.silences import Silences, silence_from_document
from monitor.model import Alert, State
from monitor.report.review import Known, Quiet
from monitor.store.alerts import StoredAlerts
from monitor.store.engine import Store
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
