"""What fails on our own side: the store, the port, the configuration, a probe that raises."""

import asyncio
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.faults.conftest import Shop
from tests.faults.harness import Daemon, Samples, daemon, one, series
from tests.faults.proxy import Way, proxy_to
from tests.patience import PATIENCE

RECOVERY = 10.0
SOAKED = partial(pytest.param, marks=pytest.mark.soak)


async def test_the_port_is_taken(shop: Shop, tmp_path: Path) -> None:
    """One clear line, exit 2, no traceback, and it does not hang."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        changed = {"web": {"listen": f"127.0.0.1:{taken.getsockname()[1]}"}}
        async with daemon(tmp_path, {"shop": shop.monitor.dsn}, changed) as watched:
            assert await watched.ended(10) == 2
    assert "something listens there already" in watched.log


@pytest.mark.parametrize(
    "broken",
    [
        "targets: [",
        SOAKED("targets: []\n"),
        SOAKED("\x00\x01\x02"),
        "targets: [{name: shop, dsn: !env NOT_THERE}]\n",
        SOAKED("targets: [{name: shop, dsn: !file /no/such/file}]\n"),
        "probes: {statments: {every: 1s}}\n",
        "",
    ],
    ids=["no yaml", "no target", "bytes", "no variable", "no file", "unknown key", "empty"],
)
async def test_a_configuration_that_cannot_be_used(shop: Shop, tmp_path: Path, broken: str) -> None:
    """Exit 2 with file and line, before anything is watched."""
    watched = Daemon(tmp_path, {"web": {"listen": "127.0.0.1:0"}})
    file = tmp_path / "monitor.yaml"
    file.write_text(broken)
    done = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "monitor", "run", "--config", str(file)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(done.communicate(), 20 * PATIENCE)
    assert done.returncode == 2, err.decode()
    assert b"Traceback" not in err + out
    assert b"monitor.yaml" in err
    assert watched.process is None


@pytest.mark.soak
async def test_a_broken_file_changes_nothing_and_is_told(shop: Shop, tmp_path: Path) -> None:
    """SIGHUP with a bad file: the old one goes on, config.reload_failed fires; mended, it ends."""
    changed = {"rules": {"config.reload_failed": {"hold": 0, "keep": 0}}}
    async with daemon(tmp_path, {"shop": shop.monitor.dsn}, changed) as watched:
        await watched.measured()
        good = (tmp_path / "monitor.yaml").read_text()
        for bad in ("targets: [", "targets: [{name: shop, dsn: !env NOT_THERE}]", None):
            if bad is None:
                (tmp_path / "monitor.yaml").unlink()
            else:
                (tmp_path / "monitor.yaml").write_text(bad)
            watched.running.send_signal(signal.SIGHUP)
            await watched.fires("config.reload_failed")
            await watched.measured(2)
            (tmp_path / "monitor.yaml").write_text(good)
            watched.running.send_signal(signal.SIGHUP)
            await gone(watched, "config.reload_failed")


async def test_a_refused_configuration_stands_on_the_page(shop: Shop, tmp_path: Path) -> None:
    """At once and without what it holds; the next good reload takes it away."""
    async with daemon(tmp_path, {"shop": shop.monitor.dsn}) as watched:
        await watched.up()
        for path in ("/", "/pools"):
            assert "Not all of the configuration" not in await watched.get(path)
        good = (tmp_path / "monitor.yaml").read_text()
        (tmp_path / "monitor.yaml").write_text("targets: [{name: shop, dsn: 'postgresql://u:c4n4ry@h:x/d'}]\nrout: 1\n")
        watched.running.send_signal(signal.SIGHUP)
        for path in ("/", "/pools"):
            page = await shown(watched, path, refused=True)
            assert "monitor.yaml:" in page
            assert "c4n4ry" not in page
        (tmp_path / "monitor.yaml").write_text(good)
        watched.running.send_signal(signal.SIGHUP)
        for path in ("/", "/pools"):
            await shown(watched, path, refused=False)


async def shown(watched: Daemon, path: str, *, refused: bool) -> str:
    """Wait until a page says whether the configuration was refused; give the page."""
    async with asyncio.timeout(10 * PATIENCE):
        while True:
            page = await watched.get(path)
            if ("Not all of the configuration" in page) is refused:
                return page
            await asyncio.sleep(0.1)


async def gone(watched: Daemon, rule: str, seconds: float = 8.0) -> None:
    for _ in range(int(seconds / 0.2)):
        if not await watched.firing(rule):
            return
        await asyncio.sleep(0.2)
    raise AssertionError(f"{rule} still fires\n{watched.tail()}")


async def test_targets_come_go_and_change_and_the_rest_does_not_blink(shop: Shop, tmp_path: Path) -> None:
    """SIGHUP with a good file: untouched targets stay up at every scrape and keep their counters."""
    dsn = shop.monitor.dsn
    async with daemon(tmp_path, {"shop": dsn, "goes": dsn, "changes": dsn}) as watched:
        for target in ("shop", "goes", "changes"):
            await watched.measured(target=target)
        spent = one(await watched.samples(), "pgarchitect_self_database_seconds_total", target="shop")
        watched.config["targets"] = [
            {"name": "shop", "dsn": dsn},
            {"name": "changes", "dsn": dsn.rpartition("/")[0] + "/postgres", "labels": {"env": "new"}},
            {"name": "comes", "dsn": dsn},
        ]
        watched.config["probes"]["auth_links"] = {"enabled": False}
        watched.reload()
        ups = []
        for _ in range(20):
            ups.append(one(await watched.samples(), "pgarchitect_up", target="shop"))
            await asyncio.sleep(0.1)
        assert ups == [1.0] * len(ups)
        await watched.measured(target="comes")
        await watched.measured(target="changes")
        samples = await watched.samples()
        assert series(samples, "pgarchitect_up", target="goes") == {}
        assert series(samples, "pgarchitect_probe_success", probe="auth_links") == {}
        assert spent is not None
        assert (one(samples, "pgarchitect_self_database_seconds_total", target="shop") or 0) >= spent
        assert {each["status"] for each in await watched.findings() if each["target"] == "goes"} <= {"resolved"}


BREAKS = """
from monitor.probe import Kind, Metric, Probe, Scope

async def observe(session, memory, options):
    raise RuntimeError("postgresql://u:c4n4ry@h/d")

PROBE = Probe(name="breaks", scope=Scope.SERVER, every=1, observe=observe, metrics=(Metric("x", Kind.GAUGE, "X."),))
"""


async def test_a_probe_that_raises_breaks_nothing_else(shop: Shop, tmp_path: Path) -> None:
    """It is named in the metrics and as a finding, without what it said; the others go on."""
    plugin = tmp_path / "plugin"
    (plugin / "breaks-1.dist-info").mkdir(parents=True)
    (plugin / "breaks.py").write_text(BREAKS)
    (plugin / "breaks-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: breaks\nVersion: 1\n")
    (plugin / "breaks-1.dist-info" / "entry_points.txt").write_text(
        "[monitor.probes]\nbreaks = breaks:PROBE\nabsent = no_such_module:PROBE\n"
    )
    environ = {"PYTHONPATH": f"{plugin}:{os.environ.get('PYTHONPATH', '')}"}
    async with daemon(tmp_path, {"shop": shop.monitor.dsn}, environ=environ, traces=True) as watched:
        await watched.measured(but=("breaks",))
        samples = await watched.samples()
        assert one(samples, "pgarchitect_probe_success", target="shop", probe="breaks") == 0
        assert one(samples, "pgarchitect_probe_result", target="shop", probe="breaks", result="broken") == 1
        await watched.until(8, "both are told", lambda seen: told(seen, "probe.broken") == 2)
        assert {each["subject"] for each in await watched.firing("probe.broken")} == {"breaks", "absent"}
        assert "c4n4ry" not in await watched.get("/api/v1/findings") + await watched.get("/api/v1/targets")
        assert "c4n4ry" not in watched.log


def told(seen: Samples, rule: str) -> float:
    """How many findings of a rule fire."""
    return sum(series(seen, "pgarchitect_findings", rule=rule, state="firing").values())


@asynccontextmanager
async def small_disk(folder: Path) -> AsyncIterator[Path]:
    """A file system of half a megabyte."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=512k", "none", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.soak
async def test_the_disk_is_full(shop: Shop, tmp_path: Path) -> None:
    """store.degraded fires, everything else goes on, what was found waits and is written when there is room."""
    async with small_disk(tmp_path / "disk") as disk:
        changed = {"store": f"sqlite:///{disk}/state.db"}
        async with daemon(tmp_path, {"shop": shop.monitor.dsn}, changed) as watched:
            await watched.measured()
            await asyncio.sleep(1)
            filler = disk / "filler"
            fill(filler)
            await found_again(shop, "one")
            await watched.fires("store.degraded", 15)
            await watched.measured(2)
            filler.unlink()
            await gone(watched, "store.degraded", 15)
            assert await watched.stop() == 0
        assert "database_one" in stored(disk / "state.db")
        await shop.cluster.run("postgres", "drop database database_one with (force)")


def fill(filler: Path) -> None:
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 512)
        except OSError:
            return


async def found_again(shop: Shop, name: str) -> None:
    """Make a new finding: a database more is a headcount more."""
    await shop.cluster.run("postgres", f"create database database_{name}")


def stored(file: Path) -> str:
    with sqlite3.connect(file) as connection:
        rows = connection.execute("select finding from alerts").fetchall()
    connection.close()
    return " ".join(str(row) for row in rows)


@pytest.mark.parametrize("place", ["sqlite:////proc/nowhere/state.db", SOAKED("sqlite:////dev/null/state.db")])
async def test_there_is_no_store(shop: Shop, tmp_path: Path, place: str) -> None:
    """It goes on in memory and says so."""
    async with daemon(tmp_path, {"shop": shop.monitor.dsn}, {"store": place}) as watched:
        await watched.measured()
        finding = await watched.fires("store.degraded")
        assert "/state.db" in finding["summary"]
        await watched.fires("headcount.many")


@pytest.mark.soak
async def test_the_store_is_damaged_before_the_start(shop: Shop, tmp_path: Path) -> None:
    """The damaged file is put aside, a new one begun, and the log says so."""
    (tmp_path / "state.db").write_bytes(b"this is no database" * 1000)
    async with daemon(tmp_path, {"shop": shop.monitor.dsn}) as watched:
        await watched.measured()
        await watched.fires("headcount.many")
        assert await watched.firing("store.degraded") == []
        assert list(tmp_path.glob("state.db.corrupt-*"))
    assert "damaged" in watched.log


@pytest.mark.soak
async def test_the_store_is_damaged_while_it_runs(shop: Shop, tmp_path: Path) -> None:
    """Nothing is lost: all that is known goes into a new file."""
    async with daemon(tmp_path, {"shop": shop.monitor.dsn}) as watched:
        await watched.measured()
        await watched.fires("headcount.many")
        await asyncio.sleep(1)
        for part in tmp_path.glob("state.db*"):
            part.write_bytes(b"garbage" * 3000)
        await found_again(shop, "two")
        await asyncio.sleep(3)
        await gone(watched, "store.degraded", 20)
        assert await watched.stop() == 0
    await shop.cluster.run("postgres", "drop database database_two with (force)")
    assert "database_two" in stored(tmp_path / "state.db")
    assert shop.database.name in stored(tmp_path / "state.db")


@pytest.mark.soak
async def test_the_store_is_locked(shop: Shop, tmp_path: Path) -> None:
    """By another program: degraded, measured on, and SIGTERM still ends it in five seconds with exit 0."""
    async with daemon(tmp_path, {"shop": shop.monitor.dsn}) as watched:
        await watched.measured()
        await asyncio.sleep(1)
        other = sqlite3.connect(tmp_path / "state.db", isolation_level=None)
        other.execute("begin exclusive")
        await found_again(shop, "three")
        await watched.fires("store.degraded", 20)
        await watched.measured(2)
        assert await watched.stop(5) == 0
        other.execute("rollback")
        other.close()
    await shop.cluster.run("postgres", "drop database database_three with (force)")


@pytest.mark.soak
async def test_a_restart_neither_forgets_nor_repeats(shop: Shop, tmp_path: Path) -> None:
    """Kill -9 and a new start: what fired goes on firing since when it did, and nobody hears of it twice."""
    changed = {"receivers": {"screen": {"console": {}}}, "route": {"receiver": "screen"}}
    async with daemon(tmp_path, {"shop": shop.monitor.dsn}, changed) as watched:
        await watched.measured()
        await watched.fires("headcount.many")
        await asyncio.sleep(3)
        before = {each["fingerprint"]: each["starts_at"] for each in await watched.firing("headcount.many")}
        watched.running.kill()
        await watched.running.wait()
        told = (tmp_path / "stdout").read_text()
        await watched.start()
        await watched.measured()
        await asyncio.sleep(3)
        after = {each["fingerprint"]: each["starts_at"] for each in await watched.firing("headcount.many")}
        assert after == before
        assert (tmp_path / "stdout").read_text() == told


@pytest.mark.soak
async def test_it_ends_in_time_whatever_hangs(shop: Shop, tmp_path: Path) -> None:
    """SIGTERM with a black-holed server, a black-holed receiver and a locked store: exit 0 in five seconds."""
    async with proxy_to(shop.server.port) as proxy, proxy_to(shop.server.port) as chat:
        chat.way = Way.SWALLOW
        changed = {
            "receivers": {"ops": {"slack": {"webhook": f"http://127.0.0.1:{chat.port}/services/T0/B0/c4n4ry"}}},
            "route": {"receiver": "ops"},
        }
        async with daemon(tmp_path, {"shop": shop.through(proxy.port)}, changed) as watched:
            await watched.measured()
            await watched.fires("headcount.many")
            other = sqlite3.connect(tmp_path / "state.db", isolation_level=None)
            other.execute("begin exclusive")
            await found_again(shop, "four")
            await watched.fires("store.degraded", 20)
            proxy.way = Way.SWALLOW
            await asyncio.sleep(1.5)
            assert await watched.stop(5) == 0
            other.close()
        await shop.cluster.run("postgres", "drop database database_four with (force)")
        assert "c4n4ry" not in watched.log
