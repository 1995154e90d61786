"""Builds the image of our Dockerfile without a container engine: each step, as written, in a root made by debootstrap.

All lies in memory, in a mount namespace of its own: when the process that holds it ends, nothing is left. The official
Python image is imitated by Debian's python3 as /usr/local/bin/python; its version is Debian's.
"""

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from string import Template

import pytest

from tests.conftest import absent
from tests.dockerfile import CHECKOUT, Instruction, stages

PROGRAMS = ("debootstrap", "nsenter", "unshare", "mount")
PACKAGES = "python3,python3-venv,ca-certificates"
REACHING = ("PIP_CERT", "PIP_INDEX_URL", "PIP_DEFAULT_TIMEOUT", "http_proxy", "https_proxy", "no_proxy")
"""What of our environment a step that installs may need to reach the packages."""
CERTIFICATES = Path("etc/ssl/certs/ca-certificates.crt")
STANDARD_PATH = "/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin"
STEP_SECONDS = 600


@dataclass(frozen=True, kw_only=True)
class Space:
    """A mount namespace, held by a sleeping process, with a file system in memory at `folder`."""

    holder: int
    folder: Path

    def enter(self, *command: str | Path) -> list[str]:
        """Give the command line that runs something in here."""
        return ["nsenter", f"--mount=/proc/{self.holder}/ns/mnt", "--", *map(str, command)]

    def seen(self, path: Path) -> Path:
        """Give where we find a file of this namespace."""
        return Path(f"/proc/{self.holder}/root{path}")

    def run(self, *command: str | Path, environ: Mapping[str, str] | None = None) -> str:
        """Run something in here, and give what it wrote; it must end well."""
        done = subprocess.run(
            self.enter(*command),
            env=environ and dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=STEP_SECONDS,
        )
        assert done.returncode == 0, f"{shlex.join(map(str, command))}\n{done.stdout[-4000:]}"
        return done.stdout


@contextmanager
def space(folder: Path) -> Iterator[Space]:
    """Make a namespace; skips where nobody may, for no package mends that."""
    if os.geteuid() != 0:
        pytest.skip("only root may make a root for an image")
    for program in PROGRAMS:
        if shutil.which(program) is None:
            absent(f"{program} is not installed")
    script = 'mount -t tmpfs -o mode=0755 tmpfs "$0" && echo held && exec sleep infinity'
    holder = subprocess.Popen(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, str(folder)], stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout is not None
        if holder.stdout.readline().strip() != b"held":
            pytest.skip("mount namespaces are refused here")
        yield Space(holder=holder.pid, folder=folder)
    finally:
        holder.kill()
        holder.communicate()


@dataclass
class Stage:
    """A stage of the image: its root, and what its instructions say about running it."""

    space: Space
    root: Path
    environ: dict[str, str] = field(default_factory=lambda: {"PATH": STANDARD_PATH})
    folder: str = "/"
    said: dict[str, Instruction] = field(default_factory=dict)
    """Of each kind of instruction, the last."""

    def apply(self, step: Instruction, others: Mapping[str, "Stage"]) -> None:
        """Do as one instruction says; what it says of running is kept."""
        self.said[step.word] = step
        match step.word:
            case "ENV":
                for pair in shlex.split(step.rest):
                    name, _, value = pair.partition("=")
                    self.environ[name] = Template(value).substitute(self.environ)
            case "WORKDIR":
                self.folder = step.rest
                self.place(step.rest).mkdir(parents=True, exist_ok=True)
            case "COPY":
                self._copy(step.words, others)
            case "RUN":
                self._run("/bin/sh", "-c", step.rest)
            case "FROM" | "ARG" | "LABEL" | "USER" | "VOLUME" | "EXPOSE" | "HEALTHCHECK" | "ENTRYPOINT" | "CMD":
                pass
            case _:
                raise AssertionError(f"{step.word}: nobody has said what it does")

    def place(self, path: str) -> Path:
        """Give where we find a path of this stage; one that is relative begins in its folder."""
        return self.space.seen(self.root) / (Path(self.folder) / path).relative_to("/")

    def _run(self, *command: str) -> None:
        reaching = {name: os.environ[name] for name in REACHING if name in os.environ}
        within = ("unshare", "--root", self.root, "--wd", self.folder)
        self.space.run(*within, *command, environ=self.environ | reaching)

    def _copy(self, words: Sequence[str], others: Mapping[str, "Stage"]) -> None:
        *sources, target = words
        whence = others[sources.pop(0).removeprefix("--from=")] if sources[0].startswith("--from=") else None
        for source in sources:
            place = whence.place(source) if whence else CHECKOUT / source
            if place.is_dir():
                dropped = None if whence else shutil.ignore_patterns(*_ignored())
                shutil.copytree(place, self.place(target), symlinks=True, ignore=dropped, dirs_exist_ok=True)
            else:
                shutil.copy(place, self.place(target))


def _ignored() -> list[str]:
    rules = (CHECKOUT / ".dockerignore").read_text().splitlines()
    return [rule.removeprefix("**/") for rule in rules if rule.startswith("**/")]


def built(space: Space) -> Stage:
    """Build all stages, and give the last."""
    made: dict[str, Stage] = {}
    stage: Stage | None = None
    for number, steps in enumerate(stages()):
        image, *name = steps[0].rest.split(" AS ")
        base = space.folder / image.partition(":")[2]
        if not space.seen(base).exists():
            _debootstrap(space, base)
        stage = Stage(space, space.folder / f"stage-{number}")
        space.run("cp", "-a", base, stage.root)
        for step in steps:
            stage.apply(step, made)
        made["".join(name)] = stage
    assert stage is not None
    return stage


def _debootstrap(space: Space, base: Path) -> None:
    """Make what the image of Python has; `base` is named as the image's tag is, and ends with Debian's name."""
    suite = base.name.rpartition("-")[2]
    space.run("debootstrap", "--variant=minbase", f"--include={PACKAGES}", suite, base, _mirror(suite))
    shutil.copy("/" / CERTIFICATES, space.seen(base) / CERTIFICATES)
    space.run("chroot", base, "python3", "-m", "venv", "/usr/local")


def _mirror(suite: str) -> str:
    """Give where apt finds that Debian on this machine."""
    wanted = ("Created-By: Packages", "Origin: Debian", f"Codename: {suite}", "Component: main")
    said = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI)", *wanted], capture_output=True, text=True, check=False
    )
    if not said.stdout.strip():
        absent(f"apt knows no mirror of Debian {suite}")
    return said.stdout.split()[0]
