"""The embedded PostgreSQL: it lets nobody in without the password, and nothing of it outlives whoever started it."""

import asyncio
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from monitor.embedded import EmbeddedServer, wheel_binaries
from monitor.errors import EmbeddedError

CHECKOUT = Path(__file__).resolve().parents[2]
ROOT = os.geteuid() == 0
PATIENCE_SECONDS = 20.0

# A program that starts a server, says where it is, and then waits to be ended in some way.
PROGRAM = """
import asyncio, json, sys
sys.path.insert(0, sys.argv[1])
from monitor.embedded import EmbeddedServer

async def main():
    async with EmbeddedServer.started() as server:
        print(json.dumps({"directory": str(server.directory), "pid": server.pid}), flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A temporary folder of our own, open to all as /tmp is: pytest's is root's alone."""
    folder = Path(tempfile.mkdtemp(prefix="embedded-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def program(temporary: Path) -> Iterator[subprocess.Popen[str]]:
    """The program, started in a session of its own with that temporary folder."""
    command = [sys.executable, "-c", PROGRAM, str(CHECKOUT)]
    environment = {**os.environ, "TMPDIR": str(temporary)}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True
    ) as process:
        yield process
        process.kill()


def said(program: subprocess.Popen[str]) -> dict[str, Any]:
    assert program.stdout is not None
    answer: dict[str, Any] = json.loads(program.stdout.readline())
    return answer


def alive(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def family(pid: int) -> set[int]:
    """The process and its direct children."""
    parents = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(entry.parent.name)] = int(entry.read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
    return {pid} | {child for child, parent in parents.items() if parent == pid}


def segment(directory: Path) -> int:
    """The System V shared memory segment of the server in this directory."""
    return int((directory / "data" / "postmaster.pid").read_text().splitlines()[6].split()[1])


def segments() -> set[int]:
    return {int(line.split()[1]) for line in Path("/proc/sysvipc/shm").read_text().splitlines()[1:]}


def eventually_gone(folder: Path, *pids: int) -> bool:
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        if not any(folder.iterdir()) and not any(alive(pid) for pid in pids):
            return True
        time.sleep(0.05)
    return False


async def answer(server: EmbeddedServer, sql: str = "select 1") -> Any:
    session = await asyncpg.connect(server.dsn(), timeout=10)
    try:
        return await session.fetchval(sql)
    finally:
        await session.close()


async def test_only_the_right_password_opens_it() -> None:
    """Scram over TCP on loopback is the only way in: no trust, no socket."""
    async with EmbeddedServer.started() as server:
        assert await answer(server) == 1
        for password in ("wrong", None):
            with pytest.raises(asyncpg.InvalidPasswordError):
                await asyncpg.connect(server.dsn(user="postgres", password=password), timeout=10)
        ways = await answer(server, "select array_agg(distinct auth_method) from pg_hba_file_rules")
        assert set(ways) == {"scram-sha-256", "reject"}
        assert await answer(server, "show listen_addresses") == "127.0.0.1"
        assert await answer(server, "show unix_socket_directories") == ""


async def test_its_directory_is_private_and_its_password_is_nowhere_in_it() -> None:
    """Mode 700, and no file holds the superuser's password in clear."""
    async with EmbeddedServer.started() as server:
        assert stat.S_IMODE(server.directory.stat().st_mode) == 0o700
        secret = (urlsplit(server.dsn()).password or "").encode()
        tops = [path for path in server.directory.rglob("*.conf") if path.is_file()]
        assert tops
        assert not any(secret in path.read_bytes() for path in (*tops, server.directory / "server.log"))
        assert not (server.directory / "password").exists()


async def test_settings_reach_the_server_as_they_are() -> None:
    """Also with a quote in the value; and they may be changed later by ALTER SYSTEM."""
    async with EmbeddedServer.started({"application_name": "it's ours", "max_connections": "20"}) as server:
        assert await answer(server, "select setting from pg_settings where name = 'max_connections'") == "20"
        assert await answer(server, "select boot_val <> reset_val from pg_settings where name = 'fsync'")
        assert "it''s ours" in (server.directory / "data" / "postgresql.conf").read_text()


async def test_leaving_leaves_nothing() -> None:
    """Neither processes nor files nor shared memory, although a session was open and busy."""
    async with EmbeddedServer.started() as server:
        directory, processes, shared = server.directory, family(server.pid), segment(server.directory)
        session = await asyncpg.connect(server.dsn(), timeout=10)
        busy = asyncio.create_task(session.execute("select pg_sleep(600)"))
        await asyncio.sleep(0.1)
    with pytest.raises(asyncpg.PostgresError):
        await busy
    assert len(processes) > 1
    assert not directory.exists()
    assert not any(alive(pid) for pid in processes)
    assert shared not in segments()


async def test_a_crash_ends_all_its_processes_and_it_starts_again_with_its_data() -> None:
    """After kill(), start() recovers on the same port; after restart() too."""
    async with EmbeddedServer.started() as server:
        await answer(server, "create table kept as select 7 as number")
        before, processes, shared = server.port, family(server.pid), segment(server.directory)
        await server.kill()
        assert not any(alive(pid) for pid in processes)
        assert shared not in segments()
        await server.start()
        assert await answer(server, "select number from kept") == 7
        await server.restart()
        assert (await answer(server, "select number from kept"), server.port) == (7, before)
        assert "ready to accept connections" in server.log_tail()


async def test_leaving_after_a_crash_leaves_nothing() -> None:
    """Also when it was never started again."""
    async with EmbeddedServer.started() as server:
        directory = server.directory
        await server.kill()
    assert not directory.exists()


async def test_a_setting_it_refuses_is_told_and_nothing_is_left(temporary: Path) -> None:
    """The server's own reason stands in the error."""
    with pytest.raises(EmbeddedError, match="no_such_setting"):
        async with EmbeddedServer.started({"no_such_setting": "1"}, directory=temporary):
            pass
    assert list(temporary.iterdir()) == []


async def test_a_taken_port_is_told(temporary: Path) -> None:
    """A port that was asked for is not silently changed."""
    async with EmbeddedServer.started() as server:
        with pytest.raises(EmbeddedError, match="could not"):
            async with EmbeddedServer.started(port=server.port, directory=temporary):
                pass
    assert list(temporary.iterdir()) == []


@pytest.mark.skipif(not ROOT, reason="only root may run it as somebody else")
async def test_as_root_it_runs_as_nobody_even_from_a_folder_only_root_may_enter(tmp_path: Path) -> None:
    """The programs are brought to where user 65534 may run them; the originals keep their rights."""
    closed, package = tmp_path / "closed", wheel_binaries().parent
    for folder in (package, package.with_name(f"{package.name}.libs")):
        shutil.copytree(folder, closed / folder.name, symlinks=True)
    closed.chmod(0o700)
    async with EmbeddedServer.started(binaries=closed / package.name / "pginstall") as server:
        assert Path(f"/proc/{server.pid}").stat().st_uid == 65534
        assert (server.directory / "postgresql" / "bin" / "postgres").exists()
        assert await answer(server, "select count(*) > 0 from pg_available_extensions")
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


@pytest.mark.skipif(not ROOT, reason="only root may run it as somebody else")
async def test_a_directory_the_servers_user_cannot_enter_is_refused(tmp_path: Path) -> None:
    """No parent's rights are changed to make it fit."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(EmbeddedError, match="cannot enter"):
        async with EmbeddedServer.started(directory=closed):
            pass
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_nothing_outlives_the_program_however_it_ends(
    program: subprocess.Popen[str], temporary: Path, ending: signal.Signals
) -> None:
    """Ctrl-C, SIGTERM and kill -9: processes, files and shared memory are gone soon after."""
    told = said(program)
    processes, shared = family(told["pid"]), segment(Path(told["directory"]))
    os.kill(program.pid, ending)
    assert eventually_gone(temporary, *processes)
    assert shared not in segments()


@pytest.mark.parametrize("seconds", [0.05, 0.2, 0.5])
def test_nothing_outlives_a_program_killed_while_it_starts(
    program: subprocess.Popen[str], temporary: Path, seconds: float
) -> None:
    """Also in the middle of initdb."""
    until = time.monotonic() + PATIENCE_SECONDS
    while not any(temporary.iterdir()) and time.monotonic() < until:
        time.sleep(0.005)
    time.sleep(seconds)
    program.kill()
    assert eventually_gone(temporary)


def test_a_killed_guardian_takes_the_server_with_it(program: subprocess.Popen[str]) -> None:
    """The last line of defence leaves files, but no process."""
    told = said(program)
    processes = family(told["pid"])
    guardian = int(Path(f"/proc/{told['pid']}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(guardian, signal.SIGKILL)
    until = time.monotonic() + PATIENCE_SECONDS
    while any(alive(pid) for pid in processes) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(alive(pid) for pid in processes)


def test_without_the_wheel_the_error_names_what_to_install() -> None:
    """Python without site-packages has no wheel; the message is one line that mends it."""
    code = f"import sys; sys.path.insert(0, {str(CHECKOUT)!r}); import monitor.embedded as e; e.wheel_binaries()"
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=False, timeout=30)
    assert "pip install 'pgarchitect[embedded]'" in done.stderr.splitlines()[-1]
