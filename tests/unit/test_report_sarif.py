"""SARIF: valid by the official schema, its indices right, and nothing in a name taken for a placeholder or a link."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from monitor.errors import Needs
from monitor.model import Severity, Target
from monitor.report.review import Review
from monitor.report.sarif import FINGERPRINT, as_sarif, said, uri
from tests import reviews

SCHEMA = json.loads((Path(__file__).parents[1] / "schemas" / "sarif-2.1.0.json").read_text())
for part in ("run", "toolComponent"):  # the pattern of languages has a bracket too many; we set none
    del SCHEMA["definitions"][part]["properties"]["language"]["pattern"]
VALID = jsonschema_rs.validator_for(SCHEMA, validate_formats=True)
NAMED = pytest.mark.parametrize("name", [*reviews.EVERY, "long"])


def run(review: Review, status: int = 0) -> dict[str, Any]:
    (only,) = json.loads(as_sarif(review, status))["runs"]
    assert isinstance(only, dict)
    return only


def named(name: str) -> Review:
    return reviews.LONG if name == "long" else reviews.EVERY[name]


@NAMED
def test_it_is_valid(name: str) -> None:
    """By the schema of OASIS, formats of addresses and times too, and plain ASCII."""
    text = as_sarif(named(name))
    assert [str(error) for error in VALID.iter_errors(json.loads(text))] == []
    assert text.isascii()


def test_the_schema_is_not_toothless() -> None:
    """A wrong level, a missing message and an unknown key are each noticed."""
    log = json.loads(as_sarif(reviews.SICK))
    result = log["runs"][0]["results"][0]
    result["level"], result["other"] = "bad", 1
    del result["message"]
    assert len(list(VALID.iter_errors(log))) == 3


@NAMED
def test_indices_point_to_what_they_name(name: str) -> None:
    """Results to their rules, notifications to theirs and to their descriptors."""
    document = run(named(name))
    rules = document["tool"]["driver"]["rules"]
    assert all(rules[each["ruleIndex"]]["id"] == each["ruleId"] for each in document["results"])
    for note in document["invocations"][0]["toolExecutionNotifications"]:
        described = document["tool"]["driver"]["notifications"][note["descriptor"]["index"]]
        assert described["id"] == note["descriptor"]["id"]
        if "associatedRule" in note:
            assert rules[note["associatedRule"]["index"]]["id"] == note["associatedRule"]["id"]
    assert len({rule["id"] for rule in rules}) == len(rules)


def test_a_result_has_what_its_readers_need() -> None:
    """Level, fingerprint, the object by name, a place that says it is no file, evidence and remedy."""
    document = run(reviews.SICK)
    result = document["results"][0]
    assert (result["ruleId"], result["level"]) == ("auth_links.orphaned_profile", "error")
    assert result["partialFingerprints"] == {FINGERPRINT: reviews.ORPHANS.fingerprint}
    (place,) = result["locations"]
    assert place["physicalLocation"]["artifactLocation"]["uri"] == "postgresql/shop/shop"
    (logical,) = place["logicalLocations"]
    assert logical == {
        "name": "users",
        "fullyQualifiedName": "shop/shop/public.users (auth_user_id)",
        "kind": "table",
    }
    assert result["properties"]["evidence"]["count"] == 7
    assert result["properties"]["remedy"]["sql"] == list(reviews.ORPHANS.remedy.sql)
    assert "delete from public.users" in result["message"]["text"]
    assert [each["level"] for each in document["results"]] == ["error", "warning", "note"]
    assert "not a file" in document["artifacts"][0]["description"]["text"]


def test_every_rule_that_was_asked_is_described() -> None:
    """By its manual page; also those that found nothing: so one sees what was looked for."""
    rules = {rule["id"]: rule for rule in run(reviews.HEALTHY)["tool"]["driver"]["rules"]}
    assert rules.keys() == {each.judge.id for each in reviews.ASKED}
    bloat = rules["tables.bloat"]
    assert bloat["defaultConfiguration"] == {"level": "warning"}
    assert bloat["properties"]["tags"] == ["capacity", "tables"]
    assert "Why: " in bloat["help"]["text"]
    assert "**Why**: " in bloat["help"]["markdown"]


def test_what_was_not_evaluated_is_a_notification() -> None:
    """Louder than a note where more than history is missing; a broken rule and a lost target are errors."""
    document = run(reviews.NOT_EVALUATED)
    notes = document["invocations"][0]["toolExecutionNotifications"]
    needs = {note["associatedRule"]["id"]: (note["level"], note["properties"]["needs"]) for note in notes}
    assert needs["server.restarted"] == ("note", "history")
    assert needs["auth_links.missing_profile"] == ("warning", "rights")
    broken = reviews.review(not_evaluated=[reviews.unknown("tables.bloat", Needs.REPAIR, "broke")])
    (note,) = run(broken)["invocations"][0]["toolExecutionNotifications"]
    assert note["level"] == "error"


def test_an_unreachable_target_is_no_success() -> None:
    """And says why."""
    (invocation,) = run(reviews.UNREACHABLE, 3)["invocations"]
    assert (invocation["executionSuccessful"], invocation["exitCode"]) == (False, 3)
    (note,) = invocation["toolExecutionNotifications"]
    assert "connection refused" in note["message"]["text"]
    assert run(reviews.SICK)["invocations"][0]["executionSuccessful"] is True


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("{0} of {1}", "{{0}} of {{1}}"),
        ("[click](1)", r"\[click](1)"),
        ("[a] (b)", "[a] (b)"),
        ("int[]", "int[]"),
    ],
)
def test_a_text_means_only_itself(text: str, shown: str) -> None:
    assert said(text) == shown


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        (Target("shop", "shop"), "postgresql/shop/shop"),
        (Target("127.0.0.1:5432"), "postgresql/127.0.0.1%3A5432"),
        (Target("a/b", "../x y"), "postgresql/a%2Fb/..%2Fx%20y"),
        (Target("..", "."), "postgresql/%2E%2E/%2E"),
    ],
)
def test_a_name_cannot_walk_out_of_its_place(target: Target, shown: str) -> None:
    assert uri(target) == shown


def test_levels_follow_severity() -> None:
    """Whatever the rule's own severity is."""
    raised = replace(reviews.LOAD, severity=Severity.CRITICAL)
    assert run(reviews.review(findings=[raised]))["results"][0]["level"] == "error"
