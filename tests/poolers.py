"""A real PgBouncer of our own before a server, as many users and databases as a test wants."""

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from monitor.embedded import free_port
from tests.conftest import absent

NOBODY = 65534


@dataclass(frozen=True, kw_only=True)
class Pooler:
    """A running PgBouncer; `users` hold passwords."""

    port: int
    users: Mapping[str, str]
    config: Path
    start: Callable[[], subprocess.Popen[bytes]]
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def dsn(self, user: str, database: str = "pgbouncer") -> str:
        return f"postgresql://{user}:{self.users[user]}@127.0.0.1:{self.port}/{database}"

    def command(self, text: str, user: str = "boss") -> None:
        """Give the console a command, as an administrator; blocks until it is done."""
        with self.console(user) as console:
            console.execute(text.encode())

    def console(self, user: str = "boss") -> psycopg.Connection:
        """Open the console."""
        return psycopg.connect(self.dsn(user), autocommit=True, prepare_threshold=None)

    def freeze(self) -> None:
        """Stop the process where it is: it accepts connections, and says nothing."""
        self.processes[-1].send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.processes[-1].send_signal(signal.SIGCONT)

    async def begin(self) -> None:
        """Start a process; with so_reuseport it may be one more."""
        self.processes.append(self.start())
        await listening(self.port)

    def end(self) -> None:
        """End all its processes at once, as a crash does."""
        while self.processes:
            process = self.processes.pop()
            process.kill()
            process.wait(10)


@asynccontextmanager
async def pooler(
    server: int, mode: str, users: Mapping[str, str], databases: str = "", **settings: str
) -> AsyncIterator[Pooler]:
    """Start one before the server of that port; `databases` are more lines of its section."""
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        absent("pgbouncer is not installed")
    folder, port = Path(tempfile.mkdtemp(prefix="pooler-", dir="/tmp")), free_port()
    config = folder / "pgbouncer.ini"
    (folder / "users").write_text("".join(f'"{user}" "{password}"\n' for user, password in users.items()))
    lines = {
        "listen_addr": "127.0.0.1",
        "listen_port": str(port),
        "unix_socket_dir": "",
        "auth_type": "scram-sha-256",
        "auth_file": str(folder / "users"),
        "pool_mode": mode,
        "default_pool_size": "1",
        "logfile": str(folder / "log"),
        "server_round_robin": "1",
        **settings,
    }
    if "client_tls_sslmode" in settings:
        key, cert = folder / "key.pem", folder / "cert.pem"
        certify = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
        subprocess.run([*certify, "-keyout", key, "-out", cert], check=True, capture_output=True)
        lines |= {"client_tls_key_file": str(key), "client_tls_cert_file": str(cert)}
    config.write_text(
        f"[databases]\n{databases}\n* = host=127.0.0.1 port={server}\n[pgbouncer]\n"
        + "".join(f"{name} = {value}\n" for name, value in lines.items())
    )
    drop = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"] if os.geteuid() == 0 else []
    for path in (folder, *folder.iterdir()):
        if drop:
            os.chown(path, NOBODY, NOBODY)

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*drop, program, "-q", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    made = Pooler(port=port, users=users, config=config, start=start)
    try:
        await made.begin()
        yield made
    finally:
        made.end()
        shutil.rmtree(folder)


async def listening(port: int) -> None:
    for _ in range(100):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            await writer.wait_closed()
            return
    raise AssertionError("pgbouncer does not listen")
