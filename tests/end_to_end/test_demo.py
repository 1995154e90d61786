"""`monitor demo` from outside: it shows what was planted and nothing else, and however it ends, nothing is left."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from monitor.demo.faults import PLANTED
from tests.patience import PATIENCE

CHECKOUT = Path(__file__).resolve().parents[2]
DEMO = [sys.executable, "-m", "monitor", "demo"]
WATCH_SECONDS = 60
START_SECONDS, END_SECONDS = 60.0, 8.0
HEADLINE = re.compile(
    r"^(?:CRITICAL|WARNING|INFO) +(\S.*?)  in \S+\n(?:  .*\n)*?  .*\(([a-z_]+\.[a-z_]+)\)$", re.MULTILINE
)


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A temporary folder of our own, open to all as /tmp is: whatever the demo leaves would be in it."""
    folder = Path(tempfile.mkdtemp(prefix="demo-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(temporary: Path) -> Iterator[Start]:
    """Start a program in a session of its own, as a terminal would."""
    begun: list[subprocess.Popen[str]] = []

    def begin(*command: str) -> subprocess.Popen[str]:
        with (temporary.with_suffix(".err")).open("w") as talk:
            process = subprocess.Popen(
                command,
                env={**os.environ, "TMPDIR": str(temporary), "PYTHONPATH": str(CHECKOUT), "PYTHONUNBUFFERED": "1"},
                stdout=subprocess.PIPE,
                stderr=talk,
                text=True,
                start_new_session=True,
            )
        begun.append(process)
        return process

    yield begin
    for process in begun:
        process.kill()
        process.communicate()
    temporary.with_suffix(".err").unlink(missing_ok=True)


def talk(temporary: Path) -> str:
    return temporary.with_suffix(".err").read_text()


def heard(temporary: Path, words: str) -> str:
    """Wait until the demo's talk holds the words; give the line that does."""
    until = time.monotonic() + START_SECONDS * PATIENCE
    while time.monotonic() < until:
        for line in talk(temporary).splitlines():
            if words in line:
                return line
        time.sleep(0.05)
    pytest.fail(f"never said {words!r}, but:\n{talk(temporary)}")


def processes(folder: Path) -> list[str]:
    """The command lines of processes that know the folder: demo, guardian and server do."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            known = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
        except OSError:  # gone, or not ours to look at
            continue
        if str(folder).encode() in known:
            found.append((entry / "cmdline").read_bytes().decode(errors="replace"))
    return found


def gone(temporary: Path, seconds: float) -> bool:
    """Whether no process and no file is left before the seconds are over."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if not processes(temporary) and not any(temporary.iterdir()):
            return True
        time.sleep(0.05)
    return False


def test_the_report_names_every_planted_fault_and_nothing_else(start: Start, temporary: Path) -> None:
    """Exit 0, the report on stdout with each rule and subject of PLANTED and no other, and nothing left behind."""
    process = start(*DEMO, "--for", str(WATCH_SECONDS), "--port", "0")
    report, _ = process.communicate(timeout=START_SECONDS + WATCH_SECONDS + END_SECONDS)
    assert process.returncode == 0, talk(temporary)
    found = {(rule, subject) for subject, rule in HEADLINE.findall(report)}
    assert found == {(fault.rule, fault.subject) for fault in PLANTED}, report
    scans = report.partition("(tables.sequential_scans)")[2].partition("statements: ")[2].partition("\n")[0]
    assert scans == next(fault.subject for fault in PLANTED if fault.rule == "statements.slow"), report
    for fault in PLANTED:
        if fault.count is not None:
            assert re.search(rf"\({re.escape(fault.rule)}\)\n(?:  .*\n)*?  .*\bcount: {fault.count}\n", report), (
                fault.rule
            )
    assert gone(temporary, END_SECONDS)


def test_a_finding_is_told_soon_and_the_configuration_is_checked(start: Start, temporary: Path) -> None:
    """The page answers, a finding comes within 20 s of the start, and the printed configuration is a sound one."""
    process = start(*DEMO, "--port", "0")
    url = heard(temporary, "page").split()[-1]
    began = time.monotonic()
    config = heard(temporary, "config ").split()[-1]
    check = subprocess.run(
        [sys.executable, "-m", "monitor", "check-config", config],
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert check.returncode == 0, check.stderr
    heard(temporary, "warning ")
    assert time.monotonic() - began < 20
    with urlopen(f"{url}api/v1/findings", timeout=5) as answer:  # noqa: S310 - the address the demo printed
        assert json.load(answer)["total"] > 0
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=END_SECONDS) == 0, talk(temporary)
    assert gone(temporary, END_SECONDS)


@pytest.mark.parametrize("moment", ["1,000,000 rows", "config "])
def test_ctrl_c_leaves_nothing(start: Start, temporary: Path, moment: str) -> None:
    """130 without a report, while it loads as well as while it watches."""
    process = start(*DEMO, "--for", "50", "--port", "0")
    heard(temporary, moment)
    process.send_signal(signal.SIGINT)
    report, _ = process.communicate(timeout=END_SECONDS)
    assert (process.returncode, report) == (130, ""), talk(temporary)
    assert "Traceback" not in talk(temporary)
    assert gone(temporary, END_SECONDS)


@pytest.mark.soak
def test_it_ends_when_its_parent_shell_is_killed(start: Start, temporary: Path) -> None:
    """A kill -9 of the shell that started it: within seconds no process, file or port of it is left."""
    shell = start("/bin/sh", "-c", '"$@"; exit $?', "sh", *DEMO, "--port", "0")
    heard(temporary, "config ")
    shell.kill()
    shell.communicate(timeout=END_SECONDS)
    assert gone(temporary, END_SECONDS), processes(temporary)


@pytest.mark.soak
def test_it_ends_when_it_is_killed_itself(start: Start, temporary: Path) -> None:
    """A kill -9 of the demo: the guardian takes server, data and configuration away."""
    process = start(*DEMO, "--port", "0")
    heard(temporary, "config ")
    process.kill()
    process.communicate(timeout=END_SECONDS)
    assert gone(temporary, END_SECONDS), processes(temporary)


@pytest.mark.soak
def test_keep_leaves_a_directory_that_can_be_started_again(start: Start, temporary: Path) -> None:
    """With --keep the data and the configuration stay, and the printed command starts the server on them."""
    process = start(*DEMO, "--keep", "--port", "0")
    heard(temporary, "config ")
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=END_SECONDS) == 130
    lines = talk(temporary).splitlines()
    at = next(number for number, line in enumerate(lines) if "kept: " in line)
    (folder,) = temporary.iterdir()
    assert (folder / "monitor" / "monitor.yaml").is_file()
    start("/bin/sh", "-c", f"exec {lines[at + 1].strip()}")
    heard(temporary, "ready to accept connections")
