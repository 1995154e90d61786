"""The wheel, installed where no checkout is near: every command finds what it prints or needs.

In the usual run the libraries are borrowed from the tests' own environment; `make soak` installs the lock.
"""

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from monitor import __version__
from monitor.whole import whole_catalog

CHECKOUT = Path(__file__).resolve().parents[2]
INSTALL_SECONDS, DEMO_SECONDS = 300, 180


@dataclass(frozen=True, kw_only=True)
class Installed:
    """A virtual environment with the wheel in it, and an empty folder to work in."""

    folder: Path

    def run(
        self, *arguments: str, program: str = "monitor", seconds: float = 60, variables: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run an installed program with nothing of our environment."""
        command = [str(self.folder / "venv" / "bin" / program), *arguments]
        clean = {"PATH": "/usr/bin:/bin", "HOME": str(self.folder), "LC_ALL": "C.UTF-8", **(variables or {})}
        return subprocess.run(
            command, cwd=self.folder, env=clean, capture_output=True, text=True, check=False, timeout=seconds
        )

    def said(self, *arguments: str, **variables: str) -> str:
        """Give what the command prints; it must end well and say nothing on stderr."""
        done = self.run(*arguments, variables=variables)
        assert (done.returncode, done.stderr) == (0, ""), arguments
        return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build it as a release would, from what is in the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(CHECKOUT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module", params=["borrowed", pytest.param("locked", marks=pytest.mark.soak)])
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Installed:
    """Install it, its libraries borrowed by one path entry or freshly installed from the lock."""
    folder = tmp_path_factory.mktemp(request.param)
    venv.create(folder / "venv")
    if request.param == "locked":
        pip(folder, "--require-hashes", "-r", str(CHECKOUT / "requirements.lock"))
    else:
        # A path named in a .pth file is searched last, and .pth files in it are not read: our editable install is not.
        (site_packages(folder) / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    pip(folder, "--no-deps", str(wheel))
    return Installed(folder=folder)


def site_packages(folder: Path) -> Path:
    return Path(sysconfig.get_path("purelib", vars={"base": str(folder / "venv")}))


def pip(folder: Path, *arguments: str) -> None:
    """Install into the venv with the outer pip."""
    python = str(folder / "venv" / "bin" / "python")
    command = [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check", "install", "--quiet"]
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run([*command, *arguments], cwd=folder, env=clean, check=True, timeout=INSTALL_SECONDS)


def test_it_holds_all_that_is_used_and_nothing_else(wheel: Path) -> None:
    """Templates, SQL, migrations, shipped files and type markers; no test, benchmark or cache."""
    with zipfile.ZipFile(wheel) as file:
        names = set(file.namelist())
    tops = {name.partition("/")[0] for name in names}
    assert tops == {"monitor", "probes", f"pgarchitect-{__version__}.dist-info"}
    assert not [name for name in names if "__pycache__" in name or name.endswith((".pyc", ".db"))]
    sources = [path for folder in ("monitor", "probes") for path in (CHECKOUT / folder).rglob("*") if path.is_file()]
    wanted = {path.relative_to(CHECKOUT).as_posix() for path in sources if "__pycache__" not in path.parts}
    assert sorted(wanted - names) == []
    shipped = [path for path in (CHECKOUT / "config").rglob("*") if path.is_file()]
    boards = [path for path in (CHECKOUT / "dashboards").rglob("*") if path.suffix in {".json", ".yaml", ".yml", ".md"}]
    assert {f"monitor/shipped/{path.relative_to(CHECKOUT).as_posix()}" for path in (*shipped, *boards)} <= names


def test_it_is_the_wheel_that_runs(installed: Installed) -> None:
    """Not the checkout, from wherever it might still be reached."""
    done = installed.run("-c", "import monitor, probes; print(monitor.__file__, probes.__file__)", program="python")
    assert [Path(each).is_relative_to(installed.folder) for each in done.stdout.split()] == [True, True]
    assert installed.said("--version") == f"pgarchitect {__version__}\n"


def test_init_writes_what_check_config_accepts(installed: Installed, tmp_path: Path) -> None:
    """The starter is well as it is, but for the address of the database."""
    written = [Path(line) for line in installed.said("init", str(tmp_path)).splitlines()]
    assert tmp_path / "monitor.yaml" in written
    assert all(path.is_file() for path in written)
    missing = installed.run("check-config", str(tmp_path / "monitor.yaml"))
    assert missing.returncode == 2
    assert "PGARCHITECT_DSN" in missing.stderr
    dsn = "postgresql://monitor@127.0.0.1:1/shop"
    assert "well; 1 target" in installed.said("check-config", str(tmp_path / "monitor.yaml"), PGARCHITECT_DSN=dsn)


def test_the_catalogue_is_whole(installed: Installed) -> None:
    """All entry points came along: the same probes and rules as here, each with its page."""
    catalog = whole_catalog()
    probes = installed.said("probes")
    assert "cannot be used" not in probes
    assert [line.split()[0] for line in probes.splitlines()] == list(catalog.probes)
    rules = installed.said("rules")
    assert [line.split()[0] for line in rules.splitlines()] == sorted(catalog.rules)
    assert "What to do:" in installed.said("explain", "pool.saturation")
    assert "from pg_catalog." in installed.said("probes", "--sql", "16")
    assert json.loads(installed.said("schema"))["type"] == "object"


def test_grants_prints_the_rights(installed: Installed) -> None:
    """Without a database to look at."""
    assert "pg_monitor" in installed.said("grants")


@pytest.mark.soak
def test_the_demo_runs(installed: Installed) -> None:
    """From the wheel alone: its own server, traffic, faults found, a report, a good end."""
    done = installed.run("demo", "--for", "20", "--port", "0", seconds=DEMO_SECONDS)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "pool.saturation" in done.stdout
    assert "index.missing_foreign_key" in done.stdout
