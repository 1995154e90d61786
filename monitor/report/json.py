"""A review as the snapshot JSON of CONTRACT, schema version 1 (its JSON Schema: snapshot.schema.json)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import monitor
from monitor.model import Finding, as_document
from monitor.report.review import Known, LookedAt, Review
from monitor.status import NotEvaluated, ProbeStatus

SCHEMA_VERSION = 1


def as_json(review: Review) -> str:
    """Give the document as indented ASCII text, so that no name in it can trouble a terminal."""
    return json.dumps(plain(_document(review)), indent=2, allow_nan=False)


def _document(review: Review) -> dict[str, object]:
    return {
        "schema_version": SCHEMA_VERSION,
        "generated_at": _moment(review.generated_at),
        "tool": {"name": "pgarchitect", "version": monitor.__version__},
        "window_seconds": review.window_seconds,
        "verdict": review.verdict.value,
        "targets": [_target(looked) for looked in review.targets],
        "findings": [_finding(finding, review.known.get(finding.fingerprint)) for finding in review.findings],
        "ignored": review.ignored,
        "not_evaluated": [_not_evaluated(entry) for entry in review.not_evaluated],
        "statements": list(review.statements),
        "pools": list(review.pools),
        "tables": list(review.tables),
    }


def _finding(finding: Finding, known: Known | None) -> dict[str, object]:
    """Give a finding, with what the daemon's ledger knows of it where it was asked."""
    document = as_document(finding) | ({"keys": list(finding.keys)} if finding.keys else {})
    if known is None:
        return document
    document |= {"since": _moment(known.since), "occurrences": known.occurrences}
    if known.acked is not None:
        acked = known.acked
        document["acked"] = {"author": acked.author, "comment": acked.comment, "at": _moment(acked.at)}
    if known.silenced is not None:
        quiet = known.silenced
        document["silenced"] = {"author": quiet.author, "comment": quiet.comment, "until": _moment(quiet.until)}
    return document


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()


def _target(looked: LookedAt) -> dict[str, object]:
    document: dict[str, object] = {
        "target": looked.target.server,
        "database": looked.target.database,
        "kind": looked.kind,
        "server_version": looked.server_version,
        "up": looked.up,
        "labels": dict(looked.labels),
        "not_applicable": looked.not_applicable,
        "probes": [_probe(status) for status in looked.probes],
    }
    return document if looked.up else {**document, "reason": looked.reason}


def _probe(status: ProbeStatus) -> dict[str, object]:
    return {
        "probe": status.probe,
        "result": status.result.value,
        "reason": status.reason,
        "duration_seconds": status.duration_seconds,
        "rows": status.rows,
    }


def _not_evaluated(entry: NotEvaluated) -> dict[str, object]:
    document: dict[str, object] = {
        "target": entry.target.server,
        "database": entry.target.database,
        "rule": entry.rule,
        "reason": entry.reason,
        "needs": entry.needs.value,
    }
    return document if entry.subject is None else {**document, "subject": entry.subject}


def plain(value: object) -> object:
    """Make tuples lists, and null of what JSON has no number for."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(inner) for inner in value]
    return value
