"""A review as SARIF 2.1.0, for what shows code scanning results: one run, a rule each, what was not evaluated as
notifications. A database has no files: the artifact is named `postgresql/TARGET/DATABASE`, and line 1 stands for it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC
from urllib.parse import quote

import monitor
from monitor.errors import Needs
from monitor.model import Finding, Severity, Target, as_document
from monitor.report import outline
from monitor.report.json import plain
from monitor.report.markdown import escape, fenced
from monitor.report.review import LookedAt, Review
from monitor.report.wording import NEEDED, script, shown_sql
from monitor.rule import HEADINGS, Judge
from monitor.status import NotEvaluated

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
FINGERPRINT = "pgarchitect/v1"
LEVELS = {Severity.CRITICAL: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
NOT_REACHED, NOT_EVALUATED = "target.not_reached", "rule.not_evaluated"
NOTIFICATIONS = {
    NOT_REACHED: "A target could not be reached; nothing is known of it.",
    NOT_EVALUATED: "A rule could not say; it is neither passed nor failed.",
}
EXIT_WORDS = {0: "done", 1: "findings, or rules that could not say, as --fail-on asked", 3: "a target was not reached"}
SAID = ("fingerprint", "rule", "summary")
"""Parts of a finding that a result has a place of its own for."""
LINK = re.compile(r"\[(?=[^\[\]]*\]\()")

Document = dict[str, object]


def as_sarif(review: Review, status: int = 0) -> str:
    """Give the log as indented ASCII text; `status` is the exit status that the command will have."""
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [_run(review, status)]}
    return json.dumps(plain(log), indent=1, allow_nan=False)


def said(text: str) -> str:
    """Write a text so that SARIF takes nothing in it for a placeholder or a link."""
    return LINK.sub(r"\\[", text.replace("{", "{{").replace("}", "}}"))


def _run(review: Review, status: int) -> Document:
    judges = {rule.judge.id: rule.judge for rule in review.checked}
    rules = _rules(review, judges)
    places = {rule["id"]: place for place, rule in enumerate(rules)}
    return {
        "tool": {
            "driver": {
                "name": "pgarchitect",
                "version": monitor.__version__,
                "semanticVersion": monitor.__version__,
                "rules": rules,
                "notifications": [_described(name, text) for name, text in NOTIFICATIONS.items()],
            }
        },
        "columnKind": "unicodeCodePoints",
        "invocations": [_invocation(review, status, places)],
        "artifacts": [_artifact(looked) for looked in review.targets],
        "results": [_result(finding, places[finding.rule]) for finding in review.findings],
        "properties": {"verdict": review.verdict.value, "window_seconds": review.window_seconds},
    }


def _described(name: str, text: str) -> Document:
    return {"id": name, "shortDescription": {"text": text}}


def _rules(review: Review, judges: Mapping[str, Judge]) -> list[Document]:
    """Describe every rule that was asked, and those that only a finding or a gap names."""
    named = {finding.rule: finding.title for finding in review.findings}
    named |= {entry.rule: entry.rule for entry in review.not_evaluated if entry.rule not in named}
    known = [_rule(judge) for judge in judges.values()]
    return known + [
        {"id": rule, "shortDescription": {"text": said(title)}} for rule, title in named.items() if rule not in judges
    ]


def _rule(judge: Judge) -> Document:
    manual = judge.manual()
    chapters = {heading: manual[heading] for heading in HEADINGS if manual.get(heading)} or {"Fault": manual["fault"]}
    return {
        "id": judge.id,
        "shortDescription": {"text": said(manual["fault"])},
        "fullDescription": {"text": said(f"{manual['fault']} {manual.get('Why', '')}".strip())},
        "help": {
            "text": said("\n".join(f"{heading}: {text}" for heading, text in chapters.items())),
            "markdown": said("\n\n".join(f"**{heading}**: {escape(text)}" for heading, text in chapters.items())),
        },
        "defaultConfiguration": {"level": LEVELS[judge.severity]},
        "properties": {"tags": list(dict.fromkeys((judge.area.value, judge.id.partition(".")[0])))},
    }


def _artifact(looked: LookedAt) -> Document:
    where = "the server as a whole" if looked.target.database is None else f"database {looked.target.database}"
    return {
        "location": {"uri": uri(looked.target)},
        "description": {"text": said(f"{where}, on {looked.target.server}; a live database, not a file")},
        "roles": ["analysisTarget"],
    }


def uri(target: Target) -> str:
    """Name a target as a relative reference, each part of it percent-encoded."""
    parts = (target.server,) if target.database is None else (target.server, target.database)
    return "/".join(("postgresql", *map(_encoded, parts)))


def _encoded(part: str) -> str:
    """Dots alone would be steps on a path."""
    plain_part = quote(part, safe="", errors="surrogatepass")
    return plain_part if part.strip(".") else plain_part.replace(".", "%2E")


def _result(finding: Finding, place: int) -> Document:
    document = as_document(finding)
    return {
        "ruleId": finding.rule,
        "ruleIndex": place,
        "level": LEVELS[finding.severity],
        "message": {"text": said(_words(finding)), "markdown": said(_marked(finding))},
        "locations": [_location(finding.target, finding)],
        "partialFingerprints": {FINGERPRINT: finding.fingerprint},
        "properties": {key: value for key, value in document.items() if key not in SAID},
    }


def _words(finding: Finding) -> str:
    lines = [f"{finding.subject}: {finding.summary}" if finding.summary else f"{finding.subject}: {finding.title}"]
    lines += [f"Why: {finding.impact}"] if finding.impact else []
    lines += ["To mend:", *map(shown_sql, script(finding.remedy.sql))] if finding.remedy.sql else []
    lines += [f"Caution: {finding.remedy.caution}"] if finding.remedy.caution else []
    return "\n".join(lines)


def _marked(finding: Finding) -> str:
    lines = [f"**{escape(finding.subject)}**: {escape(finding.summary or finding.title)}"]
    lines += ["", f"Why: {escape(finding.impact)}"] if finding.impact else []
    if finding.remedy.sql:
        lines += ["", "To mend:", "", *fenced("\n".join(map(shown_sql, script(finding.remedy.sql))))]
    lines += ["", f"Caution: {escape(finding.remedy.caution)}"] if finding.remedy.caution else []
    return "\n".join(lines)


def _location(target: Target, finding: Finding | None = None) -> Document:
    logical = _logical(target) if finding is None else _logical_of(finding)
    return {
        "physicalLocation": {"artifactLocation": {"uri": uri(target)}, "region": {"startLine": 1}},
        "logicalLocations": [logical],
    }


def _logical(target: Target) -> Document:
    return {"fullyQualifiedName": str(target), "kind": "server" if target.database is None else "database"}


def _logical_of(finding: Finding) -> Document:
    about = finding.object
    return {
        "name": about.column or about.name or finding.subject,
        "fullyQualifiedName": f"{finding.target}/{finding.subject}",
        "kind": about.kind or "object",
    }


def _invocation(review: Review, status: int, places: Mapping[object, int]) -> Document:
    return {
        "executionSuccessful": all(looked.up for looked in review.targets),
        "exitCode": status,
        "exitCodeDescription": EXIT_WORDS.get(status, "see `monitor snapshot --help`"),
        "endTimeUtc": review.generated_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")[:-4] + "Z",
        "toolExecutionNotifications": [*_unreached(review), *_unsaid(review.not_evaluated, places)],
        "properties": {"occasion": outline.occasion(review)},
    }


def _unreached(review: Review) -> Iterator[Document]:
    for looked in review.targets:
        if not looked.up:
            text = f"{looked.target}: not reached: {looked.reason or 'no reason is known'}"
            yield _notification(NOT_REACHED, "error", text, looked.target)


def _unsaid(entries: Sequence[NotEvaluated], places: Mapping[object, int]) -> Iterator[Document]:
    for entry in entries:
        about = entry.rule if entry.subject is None else f"{entry.rule} ({entry.subject})"
        level = "note" if entry.needs is Needs.HISTORY else "error" if entry.needs is Needs.REPAIR else "warning"
        text = f"{entry.target}: {about} not evaluated: {entry.reason} ({NEEDED[entry.needs]})"
        yield {
            **_notification(NOT_EVALUATED, level, text, entry.target),
            "associatedRule": {"id": entry.rule, "index": places[entry.rule]},
            "properties": {"needs": entry.needs.value},
        }


def _notification(name: str, level: str, text: str, target: Target) -> Document:
    return {
        "descriptor": {"id": name, "index": list(NOTIFICATIONS).index(name)},
        "level": level,
        "message": {"text": said(text)},
        "locations": [_location(target)],
    }
