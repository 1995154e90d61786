"""The Dockerfile: each path, command and option it names is there, and it is locked down.

What is quick of it is run: the wheel from what it copies, its command by the real command line, its health check. All
of it is run in tests/end_to_end/test_image.py.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

from monitor import __version__
from monitor.config.model import DEFAULT_STORE, Web
from monitor.expose import server as web_server
from tests.conftest import absent
from tests.dockerfile import CHECKOUT, FILE, health_check, instructions, last, stages

SECRET = re.compile(r"pass|secret|token|key|dsn|credential", re.IGNORECASE)


def copied() -> list[str]:
    """Name what is copied from the checkout."""
    words = [each.words for each in instructions() if each.word == "COPY"]
    return [source for each in words if not each[0].startswith("--from") for source in each[:-1]]


def test_hadolint_has_nothing_to_say() -> None:
    """Nor has shellcheck, which it runs over each RUN."""
    beside = Path(sys.executable).with_name("hadolint")
    program = str(beside) if beside.exists() else shutil.which("hadolint")
    if program is None:
        absent("hadolint is not installed")
    done = subprocess.run([program, "--no-color", FILE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_it_has_a_building_and_a_running_stage_of_one_python() -> None:
    """Pinned to a version that the project supports, and the venv's links fit both."""
    images = [stage[0].words[0] for stage in stages()]
    assert len(images) == 2
    assert len(set(images)) == 1
    version = re.fullmatch(r"python:(3\.\d+)-slim-\w+", images[0])
    assert version is not None
    assert f"Python :: {version[1]}" in (CHECKOUT / "pyproject.toml").read_text(encoding="utf-8")


def test_all_that_is_copied_exists_and_is_let_through() -> None:
    """.dockerignore shuts everything out but what COPY names, and it names nothing else."""
    rules = [line for line in (CHECKOUT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    assert rules[0] == "*"
    assert [source for source in copied() if not (CHECKOUT / source).exists()] == []
    assert sorted(rule[1:] for rule in rules if rule[0] == "!") == sorted(copied())
    shut = [rule for rule in rules[1:] if rule[0] != "!"]
    assert not [source for source in copied() if any(fnmatch(source, rule) for rule in shut)]
    assert "**/__pycache__" in shut


def test_what_is_copied_is_enough_to_build_from(tmp_path: Path) -> None:
    """The wheel made of the copied files alone holds code, templates, SQL and the shipped configuration."""
    for source in copied():
        place = tmp_path / source
        if (CHECKOUT / source).is_dir():
            shutil.copytree(CHECKOUT / source, place, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(CHECKOUT / source, place)
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "dist").glob("pgarchitect-*.whl"))) == 1


def test_packages_come_from_the_lock_with_their_hashes() -> None:
    """Every `pip install` is the lock's, or ours without dependencies."""
    commands = [part.strip() for each in instructions() if each.word == "RUN" for part in each.rest.split("&&")]
    installs = [command for command in commands if re.search(r"\bpip\b.* install\b", command)]
    assert len(installs) == 2
    assert installs[0].endswith("--require-hashes -r requirements.lock")
    assert "--no-deps" in installs[1]
    assert "requirements-dev" not in FILE.read_text(encoding="utf-8")


def test_it_runs_as_nobody_in_particular() -> None:
    """By a fixed number, so that Kubernetes can prove it is not root; that user owns the state's folder."""
    user, _, group = last("USER").rest.partition(":")
    assert int(user) > 1000
    assert int(group) > 1000
    made = next(each.rest for each in stages()[-1] if each.word == "RUN")
    assert f"--uid {user} --gid {group}" in made
    assert f"--owner={user} --group={group} --mode=0700 {last('VOLUME').words[0]}" in made
    words = [each.word for each in stages()[-1]]
    assert "RUN" not in words[words.index("USER") :], "nothing is made after root is gone"


def test_volume_and_port_are_the_defaults_of_the_configuration() -> None:
    """The store's file lies in the volume; the exposed port is the one that is listened on."""
    assert Path(DEFAULT_STORE.removeprefix("sqlite:///")).parent == Path(last("VOLUME").words[0])
    assert Web().listen.rpartition(":")[2] == last("EXPOSE").rest


def test_its_command_is_one_of_ours(tmp_path: Path) -> None:
    """The real command line takes it, and misses nothing but the file."""
    program, *arguments = [*last("ENTRYPOINT").words, *last("CMD").words]
    assert program == "monitor"
    file = next(argument for argument in arguments if argument.startswith("/"))
    assert f"install --directory --mode=0755 {Path(file).parent}" in FILE.read_text(encoding="utf-8")
    here = [str(tmp_path / "monitor.yaml") if argument == file else argument for argument in arguments]
    done = monitor(*here)
    assert done.returncode == 2
    assert f"{tmp_path / 'monitor.yaml'}" in done.stderr
    assert "No such option" not in done.stderr
    assert "Usage:" not in done.stderr


def test_every_option_of_ours_that_it_names_exists() -> None:
    """Also those in RUN and in comments."""
    for command in re.findall(r"(?:/monitor|`monitor) ([a-z-]+)", FILE.read_text(encoding="utf-8")):
        asked = [command] if command.startswith("-") else [command, "--help"]
        assert monitor(*asked).returncode == 0, command


def monitor(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "monitor", *arguments]
    return subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False, timeout=60)


def test_its_labels_say_what_it_is() -> None:
    """OCI's names; the version is ours."""
    labels = dict(re.findall(r'(org\.opencontainers\.image\.\w+)="([^"]*)"', last("LABEL").rest))
    names = {name.rpartition(".")[2] for name in labels}
    assert names >= {"title", "description", "version", "revision", "licenses"}
    assert labels["org.opencontainers.image.version"] == __version__
    assert f'license = "{labels["org.opencontainers.image.licenses"]}"' in (CHECKOUT / "pyproject.toml").read_text()


def test_no_secret_can_be_built_in() -> None:
    """No variable or argument that asks for one, and no file that could hold one."""
    named = [each.rest for each in instructions() if each.word in {"ENV", "ARG"}]
    assert [text for text in named if SECRET.search(text)] == []
    assert "ADD" not in {each.word for each in instructions()}


class Door(BaseHTTPRequestHandler):
    """Answers with the status that its path names."""

    statuses = {"/healthz": 200}  # noqa: RUF012 - the standard library makes the instances

    def do_GET(self) -> None:
        self.send_response(self.statuses.get(self.path, 404))
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
        """Say nothing."""


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[int]:
    """Serve on a free port."""
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Ill(Door):
    """Is alive and not well."""

    statuses = {"/healthz": 500}  # noqa: RUF012 - as above


def test_its_health_check_tells_well_from_ill_from_gone() -> None:
    """The very program, on another port: 0 for 200, 1 for anything else, also when nobody listens."""
    program, *arguments = health_check()
    assert program == "python"
    assert "'/healthz'" in Path(web_server.__file__).read_text().replace('"', "'")

    def status(port: int) -> int:
        here = [argument.replace(last("EXPOSE").rest, str(port)) for argument in arguments]
        return subprocess.run([sys.executable, *here], capture_output=True, check=False, timeout=30).returncode

    with serving(Door) as port:
        assert status(port) == 0
    assert status(port) == 1
    with serving(Ill) as port:
        assert status(port) == 1
