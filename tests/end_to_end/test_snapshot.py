"""`monitor snapshot` as a user meets it: what stdout, stderr and the exit status say, also when all goes wrong."""

import json
from pathlib import Path

import pytest

from tests.database import Database
from tests.end_to_end.command import monitor

CANARY = "c4n4ry-s3cret"


async def snapshot(database: Database, *words: str) -> tuple[int, dict[str, object], str]:
    """Give status, document and stderr of a JSON snapshot of one database, its DSN by the environment."""
    done = await monitor(
        "snapshot", "--dsn", "env:SHOP", "--format", "json", "--window", "1", *words, env={"SHOP": database.dsn}
    )
    return done.status, json.loads(done.out), done.err


async def test_a_healthy_database_is_looked_at_and_nothing_is_invented(database: Database) -> None:
    """Every shipped probe answers, for the database and for the server as a whole."""
    await database.execute("select pg_stat_statements_reset()")  # other tests made roles with clear passwords
    status, report, err = await snapshot(database)
    assert (status, err) == (0, "")
    assert report["schema_version"] == 1
    targets = report["targets"]
    assert isinstance(targets, list)
    assert {target["database"] for target in targets} == {None, database.name}
    assert all(target["up"] for target in targets)
    assert [entry for entry in _list(report, "not_evaluated") if entry["needs"] == "repair"] == []
    assert [finding for finding in _list(report, "findings") if finding["severity"] != "info"] == []


def _list(report: dict[str, object], name: str) -> list[dict[str, object]]:
    value = report[name]
    assert isinstance(value, list)
    return value


async def test_a_fault_is_found_and_the_exit_status_says_so_when_asked(database: Database) -> None:
    """Nothing fails unless --fail-on says so; a rule that was not chosen cannot fail it."""
    await database.execute(
        "create table parent (id int primary key);"
        "create table child (id int primary key, parent_id int references parent);"
        "insert into parent select generate_series(1, 3000);"
        "insert into child select g, g from generate_series(1, 3000) g; analyze"
    )
    status, report, _ = await snapshot(database)
    (finding,) = [each for each in _list(report, "findings") if each["rule"] == "index.missing_foreign_key"]
    assert (status, finding["subject"]) == (0, "public.child (parent_id)")
    assert {(row["table"], row["rows"]) for row in _list(report, "tables")} == {("parent", 3000), ("child", 3000)}
    severity = str(finding["severity"])
    assert (await snapshot(database, "--fail-on", severity, "--rule", "index.*"))[0] == 1
    assert (await snapshot(database, "--fail-on", severity, "--rule", "pool.*"))[0] == 0


@pytest.mark.parametrize("form", ["text", "markdown", "json", "html", "sarif"])
async def test_the_report_goes_to_a_file_when_asked(database: Database, form: str, tmp_path: Path) -> None:
    """And stdout stays empty."""
    path = tmp_path / "report"
    done = await monitor(
        *("snapshot", "--dsn", "env:SHOP", "--window", "0", "--format", form, "--output", str(path)),
        env={"SHOP": database.dsn},
    )
    assert (done.status, done.out) == (0, "")
    assert database.name in path.read_text()


@pytest.mark.parametrize(
    ("dsn", "words", "status"),
    [
        (f"postgresql://ann:{CANARY}@127.0.0.1:1/shop", "connection refused", 3),
        (f"postgresql://ann:{CANARY}@nowhere.invalid/shop", "check host", 3),
        (f"postgresql://ann:{CANARY}@127.0.0.1:port/shop", "port that is no number", 2),
        (f"ann:{CANARY}", "is neither a postgresql:// URL nor", 2),
    ],
)
async def test_a_server_that_cannot_be_reached_is_one_clear_line(dsn: str, words: str, status: int) -> None:
    """The report is still printed; a DSN that is none is a usage error. Never a traceback, never a secret."""
    done = await monitor("snapshot", "--dsn", "env:SHOP", "--window", "0", env={"SHOP": dsn})
    said = done.out + done.err
    assert done.status == status
    assert words in said
    assert CANARY not in said
    assert "Traceback" not in said


async def test_a_wrong_password_is_told_without_being_shown(database: Database) -> None:
    """What, where, how to mend."""
    wrong = database.dsn.replace(":", f":{CANARY}", 2).replace(f":{CANARY}", ":", 1)
    done = await monitor("snapshot", "--dsn", "env:SHOP", "--window", "0", env={"SHOP": wrong})
    assert done.status == 3
    assert "wrong password" in done.out
    assert CANARY not in done.out + done.err


async def test_a_password_on_the_command_line_draws_a_warning(database: Database) -> None:
    """Every user of the machine could read it there."""
    done = await monitor("snapshot", "--dsn", database.dsn, "--window", "0")
    assert done.status == 0
    assert "PGPASSWORD" in done.err
    quiet = await monitor("snapshot", "--dsn", database.dsn, "--window", "0", "--quiet")
    assert quiet.err == ""


async def test_the_password_may_come_from_pgpassword(database: Database) -> None:
    """As libpq takes it."""
    scheme, rest = database.dsn.split("://")
    login, place = rest.split("@")
    user, _, password = login.partition(":")
    done = await monitor(
        *("snapshot", "--dsn", f"{scheme}://{user}@{place}", "--window", "0"), env={"PGPASSWORD": password}
    )
    assert (done.status, done.err) == (0, "")


async def test_without_rights_nothing_is_called_well(database: Database) -> None:
    """No pg_monitor: not evaluated, with the grant that mends it; and --fail-on-not-evaluated fails."""
    role = await database.as_monitor()
    await database.execute(f"revoke pg_monitor from {role.user}")
    status, report, _ = await snapshot(role, "--fail-on-not-evaluated")
    assert status == 1
    assert report["verdict"] == "not evaluated"
    reasons = [str(entry["reason"]) for entry in _list(report, "not_evaluated") if entry["needs"] == "rights"]
    assert any("grant pg_monitor" in reason for reason in reasons)


async def test_without_the_extension_statements_are_not_evaluated(database: Database) -> None:
    """And the reason holds what mends it."""
    await database.execute("drop extension pg_stat_statements")
    _, report, _ = await snapshot(database, "--rule", "statements.*")
    needs = {entry["rule"]: entry["needs"] for entry in _list(report, "not_evaluated")}
    assert needs["statements.slow"] == "extension"
    assert report["verdict"] == "not evaluated"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("snapshot",), "no server is named"),
        (("snapshot", "--dsn", "env:NOWHERE"), "has no NOWHERE"),
        (("snapshot", "--dsn", "postgresql://h/d", "--rule", "nothing.*"), "no such rule"),
        (("snapshot", "--dsn", "postgresql://h/d", "--format", "yaml"), "yaml"),
        (("snapshot", "--dsn", "postgresql://h/d", "--window", "-1"), "window"),
        (("snapshot", "--config", "/nowhere/monitor.yaml"), "/nowhere/monitor.yaml"),
        (("explain", "statements.slo"), "did you mean statements.slow"),
        (("nothing",), "No such command"),
    ],
)
async def test_wrong_usage_is_status_2_and_one_clear_line(words: tuple[str, ...], said: str) -> None:
    """On stderr, with nothing on stdout."""
    done = await monitor(*words)
    assert (done.status, done.out) == (2, "")
    assert said in done.err
    assert "Traceback" not in done.err


async def test_lifetime_totals_are_labelled(database: Database) -> None:
    """Window 0 watches nothing; the report says so."""
    done = await monitor("snapshot", "--dsn", "env:SHOP", "--window", "0", env={"SHOP": database.dsn})
    assert done.status == 0
    assert "lifetime" in done.out


async def test_a_report_claims_no_more_than_was_asked(database: Database) -> None:
    """Rules that were left out are not passed; SARIF describes those that looked, and has the exit status."""
    words = ("snapshot", "--dsn", "env:SHOP", "--window", "0", "--rule", "tables.wraparound", "--format")
    shown = await monitor(*words, "markdown", env={"SHOP": database.dsn})
    assert shown.status == 0
    assert "## Security validation\n\nNothing was evaluated: no rule of this part was asked." in shown.out
    assert "1 rule looked (tables.wraparound): nothing was found" in shown.out.replace("\\", "")
    assert "- [x] `tables` (Performance impact): 1 rule passed" in shown.out
    document = json.loads((await monitor(*words, "sarif", env={"SHOP": database.dsn})).out)["runs"][0]
    assert [rule["id"] for rule in document["tool"]["driver"]["rules"]] == ["tables.wraparound"]
    assert document["invocations"][0]["exitCode"] == 0


async def test_a_file_that_cannot_be_written_is_told_before_the_look(database: Database, tmp_path: Path) -> None:
    """Nobody waits for a window to learn of a typing error."""
    done = await monitor(
        *("snapshot", "--dsn", "env:SHOP", "--window", "600", "--output", str(tmp_path / "missing" / "report")),
        env={"SHOP": database.dsn},
    )
    assert done.status == 2
    assert "there is no folder" in done.err
