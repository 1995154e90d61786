"""The unit for systemd: what it names is there, it locks the service in, and systemd itself has nothing to say."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_group

from monitor.cli.app import USAGE, app
from monitor.config.load import load_config
from monitor.config.model import DEFAULT_STORE
from monitor.memory import THRIFTY
from monitor.whole import whole_catalog
from tests.conftest import absent

CHECKOUT = Path(__file__).resolve().parents[2]
UNIT = CHECKOUT / "config" / "systemd" / "pgarchitect.service"
CREDENTIALS = "/run/credentials/pgarchitect.service"
MOST_EXPOSED = 20
"""Of 100, as `systemd-analyze security` counts; a unit without any hardening has 96."""

KNOWN = {
    "Unit": {"Description", "Wants", "After"},
    "Service": {
        "Type", "ExecStart", "ExecReload", "LoadCredential", "Restart", "RestartSec", "RestartPreventExitStatus",
        "KillMode", "TimeoutStopSec", "DynamicUser", "User", "StateDirectory", "StateDirectoryMode", "WorkingDirectory",
        "UMask", "Environment", "NoNewPrivileges", "ProtectSystem", "ProtectHome", "PrivateTmp", "PrivateDevices",
        "PrivateUsers", "ProtectClock", "ProtectControlGroups", "ProtectHostname", "ProtectKernelLogs",
        "ProtectKernelModules", "ProtectKernelTunables", "ProtectProc", "ProcSubset", "CapabilityBoundingSet",
        "AmbientCapabilities", "RestrictAddressFamilies", "RestrictNamespaces", "RestrictRealtime", "RestrictSUIDSGID",
        "RemoveIPC", "LockPersonality", "SystemCallArchitectures", "SystemCallFilter", "SystemCallErrorNumber",
        "MemoryMax", "TasksMax", "CPUWeight",
    },
    "Install": {"WantedBy"},
}  # fmt: skip
"""Directives of systemd.unit(5), systemd.service(5), systemd.exec(5), systemd.kill(5), systemd.resource-control(5)."""


def directives(text: str) -> list[tuple[str, str, str]]:
    """Read a unit: section, name, value, in order; a name may come again."""
    found, section = [], ""
    for line in text.splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and line[0] not in "#;":
            name, equals, value = line.partition("=")
            assert equals, line
            found.append((section, name, value))
    return found


def unknown(text: str) -> list[str]:
    return [f"[{section}] {name}" for section, name, _ in directives(text) if name not in KNOWN.get(section, ())]


def value(name: str) -> str:
    """Give the one value of a directive of the service."""
    (only,) = [each for section, named, each in directives(UNIT.read_text()) if (section, named) == ("Service", name)]
    return only


def test_each_directive_is_one_that_systemd_knows() -> None:
    """A slip draws no more than a warning, and the service would be less locked in than it reads."""
    assert unknown(UNIT.read_text()) == []
    assert unknown("[Service]\nNoNewPriviledges=yes\n[Instal]\nWantedBy=x\n") == [
        "[Service] NoNewPriviledges",
        "[Instal] WantedBy",
    ]


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """The unit with a program that is there on this machine."""
    program = shlex.split(value("ExecStart"))[0]
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace(program, sys.executable))
    return unit


def analyzed(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    program = shutil.which("systemd-analyze")
    if program is None:
        absent("systemd-analyze is not installed; the directives are checked against the list above")
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False, timeout=60)


def test_systemd_has_nothing_to_say(here: Path) -> None:
    """Neither an error nor a warning."""
    done = analyzed("verify", here)
    said = [line for line in (done.stdout + done.stderr).splitlines() if here.name in line]
    assert (done.returncode, said) == (0, [])


def test_systemd_finds_little_that_is_exposed(here: Path) -> None:
    done = analyzed("security", "--offline=true", f"--threshold={MOST_EXPOSED}", here)
    if "unrecognized option" in done.stderr:
        pytest.skip("this systemd-analyze cannot judge a file")
    assert done.returncode == 0, done.stdout[-2000:]


def test_it_is_locked_in() -> None:
    """No privileges, no writing but to its state, a user of its own; no watchdog, which the daemon does not feed."""
    assert (value("NoNewPrivileges"), value("ProtectSystem"), value("DynamicUser")) == ("yes", "strict", "yes")
    assert value("CapabilityBoundingSet") == ""
    assert "WatchdogSec" not in {name for _, name, _ in directives(UNIT.read_text())}
    assert set(value("RestrictAddressFamilies").split()) == {"AF_INET", "AF_INET6", "AF_UNIX"}


def test_its_command_is_one_of_ours() -> None:
    """The real command line takes it, as `monitor` of a venv in /opt, where the image has it too."""
    program, command, *options = shlex.split(value("ExecStart"))
    assert program == "/opt/pgarchitect/bin/monitor"
    assert program.rpartition("/bin/")[0] in (CHECKOUT / "Dockerfile").read_text()
    context = get_group(app).commands[command].make_context(command, list(options))
    assert context.params == {"config": Path("/etc/pgarchitect/monitor.yaml")}
    assert value("ExecReload") == "/bin/kill -HUP $MAINPID"
    assert value("RestartPreventExitStatus") == str(USAGE)


def test_each_command_that_its_comments_name_exists() -> None:
    text = " ".join(UNIT.read_text().replace("\n#", " ").split())
    named = re.findall(r"`monitor ([a-z-]+)", text)
    assert named == ["init"]
    assert set(named) <= get_group(app).commands.keys()


def test_the_default_store_lies_in_its_state_directory() -> None:
    assert Path(DEFAULT_STORE.removeprefix("sqlite:///")).parent == Path("/var/lib") / value("StateDirectory")
    assert value("WorkingDirectory") == f"%S/{value('StateDirectory')}"


def test_the_configuration_of_its_comment_reads_the_credential(tmp_path: Path) -> None:
    """The name that the comment shows is the credential's; a secret is a file that ends in a new line."""
    (line,) = re.findall(r"^#\s+(targets: .*)$", UNIT.read_text(), re.MULTILINE)
    name, _, source = value("LoadCredential").partition(":")
    assert f"{CREDENTIALS}/{name}" in line
    assert f"{Path(source).parent} that root alone can read" in " ".join(UNIT.read_text().split())
    (tmp_path / name).write_text("postgresql://monitor:change-me@shop-db/shop\n")
    file = tmp_path / "monitor.yaml"
    file.write_text(line.replace(CREDENTIALS, str(tmp_path)))
    config = load_config(file, whole_catalog())
    assert [server.dsn.reveal() for server in config.servers] == ["postgresql://monitor:change-me@shop-db/shop"]
    assert config.store_url.reveal() == DEFAULT_STORE


def test_the_unit_and_the_image_choose_the_allocator_that_gives_memory_back() -> None:
    """The flood is tested with the same settings."""
    for file in (UNIT, CHECKOUT / "Dockerfile"):
        said = dict(re.findall(r"((?:PYTHON)?MALLOC\w*)=(\w+)", file.read_text()))
        assert said == THRIFTY, file
