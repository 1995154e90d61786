"""Findings and targets as JSON text of plain types, and back again without a loss.

The text is ASCII: names and messages may hold what a database refuses (NUL, half a surrogate pair), escapes never do.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from monitor.model import Area, Confidence, Finding, Object, Remedy, Scalar, Severity, Target, as_document


def target_text(target: Target) -> str:
    return json.dumps([target.server, target.database])


def target_from_text(text: str) -> Target:
    """Raise ValueError when the text is not a target's."""
    try:
        server, database = json.loads(text)
    except TypeError as error:
        raise ValueError("not a target") from error
    return Target(server, database)


def finding_text(finding: Finding) -> str:
    """What is no JSON scalar (a date, a Decimal from a careless rule) is kept as its text."""
    return json.dumps(as_document(finding), default=str)


def finding_from_text(text: str) -> Finding:
    """Raise ValueError when the text is not a finding's."""
    try:
        return _finding(json.loads(text))
    except (KeyError, TypeError) as error:
        raise ValueError("not a finding") from error


def _finding(document: Mapping[str, Any]) -> Finding:
    about, remedy = document["object"], document["remedy"]
    return Finding(
        target=Target(document["target"], document["database"]),
        rule=document["rule"],
        area=Area(document["area"]),
        severity=Severity(document["severity"]),
        subject=document["subject"],
        object=Object(about["kind"], about["schema"], about["name"], about["column"], tuple(about["columns"])),
        title=document["title"],
        summary=document["summary"],
        impact=document["impact"],
        evidence={name: _measured(value) for name, value in document["evidence"].items()},
        remedy=Remedy(tuple(remedy["sql"]), tuple(remedy["rollback"]), remedy["caution"]),
        confidence=Confidence(document["confidence"]),
    )


def _measured(value: Scalar | list[Scalar]) -> Scalar | Sequence[Scalar]:
    return tuple(value) if isinstance(value, list) else value
