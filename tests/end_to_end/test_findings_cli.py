"""`monitor findings …` as a user types it, on a running daemon: what it prints, changes, and leaves in the store."""

import asyncio
import json
import re
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from monitor.embedded import free_port
from tests.database import Database
from tests.end_to_end.command import Outcome, monitor
from tests.faults.harness import Daemon, daemon
from tests.unit.controls import certificate

pytestmark = pytest.mark.soak

RULE = "headcount.many"
CANARY = "c4n4ry-t0ken"
ANN = {"USER": "ann"}
BY = "ann (loopback)"


async def findings(running: Daemon, *words: str, **environ: str) -> Outcome:
    """Run `monitor findings WORDS` on a daemon; it must not talk beside its result."""
    said = await monitor("findings", *words, "--url", running.url, env={**ANN, **environ})
    assert (said.status, said.err) == (0, ""), f"{words}\n{said.err}\n{running.tail()}"
    return said


async def refused(*words: str, **environ: str) -> str:
    """Run it where it must fail: status 2, nothing on stdout, one clear line on stderr; gives that line."""
    said = await monitor("findings", *words, env={**ANN, **environ})
    assert (said.status, said.out) == (2, ""), said
    assert said.err.startswith("monitor: ")
    assert said.err.count("\n") == 1
    assert CANARY not in said.err
    return said.err.removeprefix("monitor: ").rstrip()


async def shown(running: Daemon, fingerprint: str) -> dict[str, Any]:
    document = json.loads((await findings(running, "show", fingerprint, "--format", "json")).out)
    return dict(document)


async def soon(holds: Callable[[], bool], running: Daemon, seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, running.tail()
        await asyncio.sleep(0.05)


def audited(running: Daemon) -> list[tuple[str, str]]:
    """Give who did what, as it stands in the daemon's store."""
    with sqlite3.connect(f"file:{running.folder / 'state.db'}?mode=ro", uri=True) as store:
        return list(store.execute("select who, action from audit order by id"))


async def test_findings_are_listed_and_shown(database: Database, tmp_path: Path) -> None:
    """As a table, as JSON, and one of them whole, by the beginning of its fingerprint."""
    async with daemon(tmp_path, {"shop": database.dsn}) as running:
        await running.up()
        fingerprint = str((await running.fires(RULE))["fingerprint"])
        listed = await findings(running, "list", "--rule", RULE, "--status", "firing")
        header, _rule, *rows = listed.out.splitlines()
        assert header.split() == ["finding", "severity", "state", "since", "in", "rule", "subject"]
        assert {"warning", "firing", RULE} <= set(next(row for row in rows if fingerprint[:10] in row).split())
        everything = json.loads((await findings(running, "list", "--format", "json")).out)["findings"]
        assert fingerprint in {each["fingerprint"] for each in everything}
        text = (await findings(running, "show", fingerprint[:8])).out
        assert re.search(r"state +firing\n", text)
        assert re.search(r"history +.* UTC \(.* ago\): firing warning ", text)
        assert re.search(rf"finding +{fingerprint}\n", text)


async def test_an_ack_and_a_silence_are_audited_and_outlive_a_restart(database: Database, tmp_path: Path) -> None:
    """They are there when the daemon is back, on the page as well, and can then be taken back."""
    people = {"receivers": {"ops": {"console": {}}}, "route": {"receiver": "ops"}}
    async with daemon(tmp_path, {"shop": database.dsn}, people) as running:
        await running.up()
        fingerprint = str((await running.fires(RULE))["fingerprint"])
        silence = await quieted(running, fingerprint)
        first = await shown(running, fingerprint)
        assert (first["acked"]["author"], first["acked"]["comment"]) == (BY, "known, on Monday")
        assert (first["silenced_by"], first["inhibited_by"]) == (silence, None)
        assert [(step["state"], step["severity"]) for step in first["history"]] == [("firing", "warning")]
        await soon(lambda: audited(running) == [(BY, "ack"), (BY, "silence")], running)

        assert await running.stop() == 0
        await running.start()
        await running.up()
        await running.fires(RULE)
        again = await shown(running, fingerprint)
        kept = ("acked", "silenced_by", "history", "starts_at")
        assert [again[key] for key in kept] == [first[key] for key in kept]
        await on_the_page(running, fingerprint)
        await taken_back(running, fingerprint, silence)
        done = [(BY, each) for each in ("ack", "silence", "unack", "unsilence")]
        await soon(lambda: audited(running) == done, running)


async def quieted(running: Daemon, fingerprint: str) -> str:
    """Take note of a finding, and silence its target; gives the silence's id."""
    acked = await findings(running, "ack", fingerprint[:8], "--comment", "known, on Monday")
    assert re.match(rf"{fingerprint} .* \({RULE}\): acked by ann \(loopback\); no repeats", acked.out)
    made = await findings(running, "silence", "--target", "shop", "--for", "2h", "--comment", "x")
    found = re.match(r"(\w+)  silent until \S+: target=", made.out)
    assert found, made.out
    return found[1]


async def on_the_page(running: Daemon, fingerprint: str) -> None:
    """The overview marks the finding and lists the silence, its own page says the rest; the status is well."""
    overview = await running.get("/?refresh=off")
    for part in ('<span class="badge acked">', '<span class="badge silenced">', "<h2>Silences</h2>"):
        assert part in overview
    assert "known, on Monday" in await running.get(f"/findings/{fingerprint}")
    status = json.loads(await running.get("/api/v1/status"))
    assert status["store"] == {"state": "ok", "reason": ""}
    assert [each["receiver"] for each in status["receivers"]] == ["ops"]


async def taken_back(running: Daemon, fingerprint: str, silence: str) -> None:
    """Unsay both; the silence then is history."""
    text = (await findings(running, "show", fingerprint)).out
    assert re.search(r"acked +.* by ann \(loopback\): known, on Monday\n", text)
    assert re.search(rf"silenced +by {silence};", text)
    (row,) = [line for line in (await findings(running, "silences")).out.splitlines() if silence[:10] in line]
    assert re.search(r"\(in .*\) +target=\S*shop\S* +ann \(loopback\) +x$", row)
    assert (await findings(running, "unack", fingerprint)).out.endswith(": not acked any more\n")
    assert (await findings(running, "unsilence", silence[:8])).out == f"{silence}: over\n"
    last = await shown(running, fingerprint)
    assert (last["acked"], last["silenced_by"]) == (None, None)
    assert (await findings(running, "silences")).out == "no silences\n"
    assert silence[:10] in (await findings(running, "silences", "--all")).out
    lines = (await findings(running, "audit")).out.splitlines()
    assert " unsilence " in lines[2], lines
    assert " unack " in lines[3], lines


async def test_a_daemon_behind_tls_wants_a_token(database: Database, tmp_path: Path) -> None:
    """Its own configuration opens it; so does a token under a trusted certificate; nothing else does."""
    tls = certificate(tmp_path)
    port = free_port()
    web = {
        "listen": f"127.0.0.1:{port}",
        "tls": {"cert_file": tls.cert_file.name, "key_file": tls.key_file.name},
        "tokens": [CANARY],
    }
    url = f"https://localhost:{port}"
    trusted = ("--url", url, "--ca-file", str(tls.cert_file))
    async with daemon(tmp_path, {"shop": database.dsn}, {"web": web}) as running:
        file = running.write()
        found = await fired(running, "--config", str(file))
        listed = await monitor("findings", "list", *trusted, env={"PGARCHITECT_TOKEN": CANARY})
        assert (listed.status, listed.err) == (0, "")
        assert found[:10] in listed.out

        nobody = await refused("list", *trusted)
        assert nobody == (
            f"{url}: it wants credentials; put a token into PGARCHITECT_TOKEN, or give --user or --config"
        )
        assert await refused("ack", found, "--comment", "c", *trusted, PGARCHITECT_TOKEN=f"{CANARY}-no") == nobody
        stranger = await refused("list", "--url", url, PGARCHITECT_TOKEN=CANARY)
        assert stranger == f"{url}: its certificate is not trusted; name the authority that signed it by --ca-file"

        acked = await monitor("findings", "ack", found, "--comment", "c", "--config", str(file), env=ANN)
        assert (acked.status, acked.err) == (0, "")
        assert "acked by ann (token 1)" in acked.out
        await soon(lambda: audited(running) == [("ann (token 1)", "ack")], running)
    assert CANARY not in running.log


async def fired(running: Daemon, *way: str, seconds: float = 20.0) -> str:
    """Wait until the command shows that the rule fires; gives the finding's fingerprint."""
    end = time.monotonic() + seconds
    while True:
        said = await monitor("findings", "list", "--rule", RULE, "--format", "json", *way)
        found = json.loads(said.out)["findings"] if said.status == 0 else []
        if found:
            return str(found[0]["fingerprint"])
        assert time.monotonic() < end, said.err + running.tail()
        await asyncio.sleep(0.2)


@pytest.mark.parametrize("words", [("list",), ("ack", "ab", "--comment", "c"), ("unsilence", "ab")])
async def test_where_no_daemon_runs_that_is_said(words: tuple[str, ...]) -> None:
    """With how to mend it."""
    url = f"http://127.0.0.1:{free_port()}"
    said = await refused(*words, "--url", url)
    assert said == f"{url}: no daemon answers there; start one by `monitor run`, or name it by --url or --config"


async def test_a_finding_that_is_not_there_is_not_acked(database: Database, tmp_path: Path) -> None:
    """Nor a silence ended that never was; neither is audited."""
    async with daemon(tmp_path, {"shop": database.dsn}) as running:
        await running.up()
        where = ("--url", running.url)
        assert await refused("ack", "zz", "--comment", "c", *where) == (
            "zz: no such finding; `monitor findings list` lists them"
        )
        assert await refused("unsilence", "zz", *where) == (
            "zz: no such silence; `monitor findings silences` lists them"
        )
        assert audited(running) == []
