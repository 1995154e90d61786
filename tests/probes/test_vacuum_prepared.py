"""server.prepared_transaction on real servers: sick, cured by what the caution says, near miss, limit, names."""

import re

import pytest

from monitor.model import Severity
from probes.vacuum import PROBE
from probes.vacuum_prepared import NAME_LENGTH, PreparedTransaction, shown
from tests.database import Database
from tests.looking import Eye

RULE = PreparedTransaction(after=0)


async def prepare(database: Database, gid: str) -> None:
    await database.execute(f"begin; create table if not exists held (); prepare transaction '{gid}'")


async def test_a_forgotten_one_is_found_and_either_end_cures_it(any_database: Database) -> None:
    """Sick on every version, as the monitor's own role. Cured: by rolling back, as the caution says."""
    monitor, gid = await any_database.as_monitor(), f"order's {any_database.name}"
    await prepare(any_database, gid.replace("'", "''"))
    async with monitor.eye(PROBE) as eye:
        seen = await eye.look()
        (finding,) = eye.findings(seen, RULE)
        assert (finding.rule, finding.severity) == ("server.prepared_transaction", Severity.WARNING)
        assert (finding.subject, finding.object.kind) == (gid, "server")
        assert finding.target.database == any_database.name
        assert finding.remedy.sql == ()
        told = {row["database"]: row["prepared_transactions"] for row in seen.asides["prepared"]}
        assert told[any_database.name] == 1
        end = re.search(r"rollback prepared '.*'", finding.remedy.caution)
        assert end is not None
        await any_database.execute(end[0])
        assert eye.findings(await eye.look(), RULE) == []


async def test_a_young_one_is_none(database: Database) -> None:
    """Near miss: two-phase commit at work; and at the limit."""
    await prepare(database, f"young {database.name}")
    async with database.eye(PROBE) as eye:
        seen = await eye.look()
        assert eye.findings(seen, PreparedTransaction()) == []
        (row,) = [row for row in seen.rows if row["kind"] == "prepared" and row["database"] == database.name]
        age = float(str(row["prepared_seconds"]))
        assert len(eye.findings(seen, PreparedTransaction(after=age))) == 1
        assert eye.findings(seen, PreparedTransaction(after=age + 0.001)) == []


async def finding_of(eye: Eye, database: Database, gid: str) -> str:
    await prepare(database, gid)
    (finding,) = eye.findings(await eye.look(), RULE)
    await database.execute(f"rollback prepared '{gid}'")
    return f"{finding.subject} {finding.remedy.caution} {finding.evidence}"


async def test_a_gid_with_a_secret_is_not_shown(database: Database) -> None:
    """No statement is printed then: a person reads the name from pg_prepared_xacts."""
    async with database.eye(PROBE) as eye:
        said = await finding_of(eye, database, f"password=hunter2 {database.name}")
        assert "hunter2" not in said
        assert "pg_prepared_xacts" in said


@pytest.mark.parametrize(("gid", "name"), [("a\nb", "a?b"), ("x" * 200, "x" * (NAME_LENGTH - 1) + "…"), ("a", "a")])
def test_a_name_is_printable_and_short(gid: str, name: str) -> None:
    """No line breaks in a chat, and no page of hexadecimal digits."""
    assert shown(gid) == name
