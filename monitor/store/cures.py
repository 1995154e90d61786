"""What proves a finding, and what its remedy did, as plain documents and back again; see documents."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from monitor.proof import Better, Cure, Outcome, Proof, Sign, Thing


def sign(document: Mapping[str, Any]) -> Sign:
    return Sign(
        kind=str(document["kind"]),
        relation=str(document["relation"]),
        columns=tuple(map(str, document["columns"])),
        before=tuple(map(str, document["before"])),
        others=tuple(map(str, document.get("others", ()))),
    )


def proof(document: Mapping[str, Any]) -> Proof:
    return Proof(
        probe=str(document["probe"]),
        metric=str(document["metric"]),
        labels={name: str(value) for name, value in document["labels"].items()},
        value=float(document["value"]),
        what=str(document["what"]),
        better=Better(document["better"]),
        per=str(document.get("per", "")),
        pace=float(document["pace"]),
    )


def cure_document(cure: Cure) -> dict[str, Any]:
    return {
        "at": cure.at.astimezone(UTC).isoformat(),
        "sign": asdict(cure.sign),
        "thing": asdict(cure.thing),
        "proof": cure.proof and asdict(cure.proof),
        "gone": cure.gone,
        "outcome": cure.outcome and cure.outcome.value,
    }


def cure(document: Mapping[str, Any]) -> Cure:
    at = datetime.fromisoformat(document["at"])
    if at.tzinfo is None:
        raise ValueError("a time without a zone")
    outcome, number = document["outcome"], document["proof"]
    return Cure(
        at=at.astimezone(UTC),
        sign=sign(document["sign"]),
        thing=_thing(document["thing"]),
        proof=None if number is None else proof(number),
        gone=bool(document["gone"]),
        outcome=None if outcome is None else Outcome(outcome),
    )


def _thing(document: Mapping[str, Any]) -> Thing:
    uses = document["uses"]
    return Thing(
        kind=str(document["kind"]),
        relation=str(document["relation"]),
        name=str(document["name"]),
        columns=tuple(map(str, document["columns"])),
        uses=None if uses is None else float(uses),
        undo=str(document["undo"]),
    )
