"""The snapshot JSON: its schema, its keys and their order, and no number that JSON does not know."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

import monitor
from monitor.report.json import as_json
from tests import reviews

NAMED = pytest.mark.parametrize("name", reviews.EVERY)
SCHEMA = json.loads((Path(monitor.__file__).parent / "report" / "snapshot.schema.json").read_text())
TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "null": (type(None),),
    "array": (list,),
    "object": (dict,),
}
KNOWN_KEYWORDS = {
    "$schema", "title", "description", "type", "const", "enum", "pattern", "minimum", "required", "properties", "items",
    "additionalProperties",
}  # fmt: skip


def breaches(value: object, schema: Mapping[str, object], place: str = "$") -> list[str]:
    """Check a document against the part of JSON Schema that our schema uses, and say where it fails."""
    assert schema.keys() <= KNOWN_KEYWORDS, "the check does not know these words"
    found = [place] if not matches(value, schema) else []
    if isinstance(value, dict):
        found += [f"{place}.{key} is missing" for key in schema.get("required", ()) if key not in value]  # type: ignore[attr-defined]
        properties = schema.get("properties", {})
        other = schema.get("additionalProperties", {})
        for key, inner in value.items():
            found += breaches(inner, properties.get(key, other), f"{place}.{key}")  # type: ignore[attr-defined]
    if isinstance(value, list) and "items" in schema:
        for at, inner in enumerate(value):
            found += breaches(inner, schema["items"], f"{place}[{at}]")  # type: ignore[arg-type]
    return found


def matches(value: object, schema: Mapping[str, object]) -> bool:
    kinds = schema.get("type", list(TYPES))
    allowed = [python for kind in ([kinds] if isinstance(kinds, str) else kinds) for python in TYPES[kind]]  # type: ignore[attr-defined]
    fits = isinstance(value, tuple(allowed)) and not (isinstance(value, bool) and bool not in allowed)
    fits &= schema.get("const", value) == value and value in schema.get("enum", [value])  # type: ignore[operator]
    if isinstance(value, str):
        fits &= re.search(str(schema.get("pattern", "")), value) is not None
    return fits and not (isinstance(value, int | float) and value < schema.get("minimum", value))  # type: ignore[operator]


@NAMED
def test_json_keeps_to_its_schema(name: str) -> None:
    """The shipped schema holds for every report."""
    assert breaches(json.loads(as_json(reviews.EVERY[name])), SCHEMA) == []


def test_the_schema_is_not_toothless() -> None:
    """A wrong word, a missing key and a wrong type are each noticed."""
    document = json.loads(as_json(reviews.SICK))
    document["verdict"] = "fine"
    del document["targets"][0]["up"]
    document["findings"][0]["remedy"]["sql"] = "select 1"
    assert breaches(document, SCHEMA) == [
        "$.verdict",
        "$.targets[0].up is missing",
        "$.findings[0].remedy.sql",
    ]


def test_json_has_the_keys_of_the_contract_in_order() -> None:
    """Programs may rely on the names; people on the order."""
    document = json.loads(as_json(reviews.SICK))
    assert " ".join(document) == (
        "schema_version generated_at tool window_seconds verdict targets findings ignored not_evaluated statements "
        "pools tables"
    )
    assert " ".join(document["targets"][0]) == "target database kind server_version up labels not_applicable probes"
    assert " ".join(document["targets"][0]["probes"][0]) == "probe result reason duration_seconds rows"
    assert " ".join(document["not_evaluated"][0]) == "target database rule reason needs"
    assert document["generated_at"] == "2026-03-01T10:11:12+00:00"


def test_json_has_what_the_ledger_knows_behind_the_findings_own_keys() -> None:
    """Since when and for which time; who took note of it or silenced it; nothing where it is not known."""
    acked, silenced, unknown = json.loads(as_json(reviews.STANDING))["findings"]
    own = list(unknown)
    assert own[-1] == "confidence"
    assert list(acked) == [*own, "since", "occurrences", "acked"]
    assert (acked["since"], acked["occurrences"]) == ("2026-02-20T10:03:12+00:00", 3)
    assert acked["acked"] == {"author": "ann", "comment": "with the owners", "at": "2026-02-28T10:11:12+00:00"}
    assert list(silenced) == [*own, "since", "occurrences", "silenced"]
    assert silenced["silenced"]["until"] == "2026-03-01T12:11:12+00:00"


def test_json_counts_what_is_ignored() -> None:
    """A number at the top, also when it is none."""
    assert json.loads(as_json(reviews.STANDING))["ignored"] == 3
    assert json.loads(as_json(reviews.HEALTHY))["ignored"] == 0


def test_json_knows_no_infinity() -> None:
    """What is not a JSON number becomes null, never `Infinity`."""
    finding = replace(reviews.LOAD, evidence={"full_seconds": float("inf"), "list": (1.0, float("nan"))})
    document = json.loads(as_json(reviews.review(findings=[finding])))
    assert document["findings"][0]["evidence"] == {"full_seconds": None, "list": [1.0, None]}
