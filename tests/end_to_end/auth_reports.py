"""Snapshots of the auth area for the exam of auth_links; each is searched for what must never be in one."""

import asyncio
import json
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.end_to_end.command import monitor

ORPHAN, MISSING = "auth_links.orphaned_profile", "auth_links.missing_profile"
# The first and the last of all uuids are nobody's: they bound what is swept, and stand in what `monitor grants` prints.
BOUNDS = "(?!00000000-0000-0000-0000-000000000000|ffffffff-ffff-ffff-ffff-ffffffffffff)"
SECRET = re.compile(
    rf"{BOUNDS}[0-9a-f]{{8}}-([0-9a-f]{{4}}-){{3}}[0-9a-f]{{12}}|decafbad|@exam\.example|\+4930901", re.IGNORECASE
)
BATCH = asyncio.Semaphore(3)


@dataclass(frozen=True, kw_only=True)
class Report:
    """What one snapshot said."""

    status: int
    said: str
    document: dict[str, Any]

    def found(self, rule: str, database: str | None = None) -> dict[str, dict[str, Any]]:
        chosen = [each for each in self.document["findings"] if each["rule"] == rule]
        kept = [each for each in chosen if database in {None, each["database"]}]
        assert len({(each["database"], each["subject"]) for each in kept}) == len(kept), "a subject twice"
        return {each["subject"]: each for each in kept}

    def counts(self, rule: str, database: str | None = None) -> dict[str, int]:
        return {subject: each["evidence"]["count"] for subject, each in self.found(rule, database).items()}

    def unseen(self, rule: str) -> list[dict[str, Any]]:
        return [each for each in self.document["not_evaluated"] if each["rule"] == rule]

    def sound(self) -> None:
        """No traceback, no row value, nothing of ours broken."""
        assert SECRET.search(self.said) is None
        assert "Traceback" not in self.said
        assert [each for each in self.document["not_evaluated"] if each["needs"] == "repair"] == []


async def look(dsn: str, *words: str, config: Path | None = None) -> Report:
    """Take a snapshot of the auth area, by DSN or by a configuration that reads it from the environment."""
    where = ("--dsn", "env:SHOP") if config is None else ("--config", str(config))
    async with BATCH:
        done = await monitor(
            *("snapshot", *where, "--format", "json", "--window", "1", "--area", "auth", *words), env={"SHOP": dsn}
        )
    assert done.out, done.err
    report = Report(status=done.status, said=done.out + done.err, document=json.loads(done.out))
    report.sound()
    return report


async def looks(wanted: Mapping[str, tuple[str, Sequence[str]]]) -> dict[str, Report]:
    found = await asyncio.gather(*(look(dsn, *words) for dsn, words in wanted.values()))
    return dict(zip(wanted, found, strict=True))


def configuration(folder: Path, databases: Sequence[str], links: str, rest: str = "") -> Path:
    path = folder / f"{secrets.token_hex(4)}.yaml"
    names = ", ".join(databases)
    path.write_text(
        f"targets:\n  - {{name: shop, dsn: !env SHOP, databases: {{include: [{names}]}}}}\n"
        f"auth:\n  links:{links or ' []'}\n{rest}"
    )
    return path
