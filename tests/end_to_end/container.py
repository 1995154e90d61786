"""Runs a built image as a pod: its own user without rights, a root that is only read, the volumes of the manifests.

Of a container this has the root, mounts, processes and bounded memory of its own; network and kernel are ours, and no
seccomp profile is set.
"""

import asyncio
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.end_to_end.engine import Stage
from tests.manifests import CONTAINER, POD

UNITS = {"Mi": 1 << 20, "Gi": 1 << 30}
ROOM = "pgarchitect-test"
ROOMS = {
    Path("/sys/fs/cgroup") / ROOM: "memory.max",
    Path("/sys/fs/cgroup/memory") / ROOM: "memory.limit_in_bytes",
}
"""Control groups that bound memory, of version 2 and 1, with the file that says how far."""


def size(quantity: str) -> int:
    """Read a quantity of Kubernetes' in bytes."""
    return int(quantity[:-2]) * UNITS[quantity[-2:]]


@contextmanager
def bounded() -> Iterator[Path | None]:
    """Make a control group with the memory of the manifests, where that is allowed; None: it is not."""
    for room, limit in ROOMS.items():
        if not (room.parent / "cgroup.procs").exists():
            continue
        try:
            room.mkdir(exist_ok=True)
            (room / limit).write_text(str(size(CONTAINER["resources"]["limits"]["memory"])))
        except OSError:
            continue
        try:
            yield room
        finally:
            room.rmdir()
        return
    yield None


@dataclass(frozen=True, kw_only=True)
class Locked:
    """A stage's root with what the manifests mount, where each volume lies, and the control group if there is one."""

    stage: Stage
    volumes: Mapping[str, Path]
    room: Path | None

    @property
    def user(self) -> list[str]:
        """Give the start of a command line that has the image's user, and no rights beyond those of anybody."""
        user, _, group = self.stage.said["USER"].rest.partition(":")
        lets = ("--no-new-privs", "--inh-caps=-all", "--bounding-set=-all")
        environ = [f"{name}={value}" for name, value in self.stage.environ.items()]
        return [
            *("setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups", *lets),
            *("env", "-i", *environ),
        ]

    def script(self, command: Sequence[str]) -> str:
        """Give the program of the shell that makes the root and becomes the container's first process."""
        root = str(self.stage.root)
        mounts = [(each, f"{root}{each['mountPath']}") for each in CONTAINER["volumeMounts"]]
        steps = [f"echo 0 > {self.room / 'cgroup.procs'}"] if self.room else []
        steps += [f"mkdir -p {place}" for _, place in mounts]
        steps += [f"mount --bind {root} {root}", f"mount -o remount,bind,ro {root}", f"mount -t proc proc {root}/proc"]
        for each, place in mounts:
            steps += self._mount(each["name"], place, shut=each.get("readOnly", False))
        within = ["unshare", "--root", root, "--wd", self.stage.folder]
        return "\n".join([*steps, f"exec {shlex.join([*within, *self.user, *command])}"])

    def _mount(self, name: str, place: str, *, shut: bool) -> list[str]:
        (volume,) = [each for each in POD["volumes"] if each["name"] == name]
        if "emptyDir" in volume:
            return [f"mount -t tmpfs -o mode=0777,size={size(volume['emptyDir']['sizeLimit'])} tmpfs {place}"]
        made = [f"mount --bind {shlex.quote(str(self.volumes[name]))} {place}"]
        return [*made, f"mount -o remount,bind,ro {place}"] if shut else made

    async def spawn(self, folder: Path, environ: Mapping[str, str], arguments: Sequence[str]) -> "Container":
        """Start the image's entry point with these arguments; its streams go to files of the folder."""
        assert not environ, "the manifests set none"
        script = self.script([*self.stage.said["ENTRYPOINT"].words, *arguments])
        apart = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-euc", script)
        with (folder / "stdout").open("ab") as out, (folder / "stderr").open("ab") as err:
            outer = await asyncio.create_subprocess_exec(
                *self.stage.space.enter(*apart), stdin=asyncio.subprocess.DEVNULL, stdout=out, stderr=err
            )
        return Container(self, outer, await _child(outer))


@dataclass(frozen=True)
class Container:
    """A container that runs; used as asyncio's processes are."""

    locked: Locked
    outer: asyncio.subprocess.Process
    pid: int
    """Of its first process, as we see it."""

    @property
    def returncode(self) -> int | None:
        return self.outer.returncode

    def send_signal(self, signal: int) -> None:
        os.kill(self.pid, signal)

    def kill(self) -> None:
        self.outer.kill()

    async def wait(self) -> int:
        return await self.outer.wait()

    async def execute(self, *command: str) -> tuple[int, str]:
        """Run something else in it, as its user; give how that ended and what it wrote."""
        entered = ("nsenter", f"--target={self.pid}", "--mount", "--pid", "--root", "--wd")
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *entered, *self.locked.user, *command, stdout=pipe, stderr=asyncio.subprocess.STDOUT
        )
        said, _ = await asyncio.wait_for(process.communicate(), 60)
        return process.returncode or 0, said.decode()


async def _child(outer: asyncio.subprocess.Process) -> int:
    """Wait until the process that makes the namespaces has its child."""
    file = Path(f"/proc/{outer.pid}/task/{outer.pid}/children")
    while not (said := file.read_text().split()):  # noqa: ASYNC110 - another process forks
        await asyncio.sleep(0.02)
    return int(said[0])
