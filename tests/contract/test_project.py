"""The project's own scripts and locks: they parse, and they name no package registry."""

import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.conftest import absent

CHECKOUT = Path(__file__).resolve().parents[2]
SCRIPTS = [CHECKOUT / ".ci" / "run"]
# Put together here, so that this file does not name them either.
REGISTRIES = [
    ".".join(parts) for parts in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("npmjs", "com"))
]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_a_script_parses(script: Path) -> None:
    """`bash -n` has nothing to say."""
    assert subprocess.run(["bash", "-n", script], capture_output=True, check=False).stderr == b""


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_a_script_satisfies_shellcheck(script: Path) -> None:
    """Every finding is mended, none is waved through."""
    if shutil.which("shellcheck") is None:
        absent("shellcheck is not installed")
    done = subprocess.run(["shellcheck", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("host", REGISTRIES)
def test_no_file_names_a_registry(host: str) -> None:
    """Where packages come from is the business of whoever installs them."""
    if not (CHECKOUT / ".git").exists():
        absent("not a git checkout")
    command = ["git", "grep", "--untracked", "--fixed-strings", "--name-only", host]
    found = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (1, "")


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_a_lock_has_hashes_and_no_address(name: str) -> None:
    """Each pinned package carries a hash; nothing but packages stands there."""
    text = (CHECKOUT / name).read_text()
    lines = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
    pins = [at for at, line in enumerate(lines) if "==" in line and not line.startswith(" ")]
    assert pins
    assert all("--hash=sha256:" in lines[at + 1] for at in pins)
    assert "://" not in text
    assert not any(line.startswith("-") for line in lines)


def test_the_developers_lock_holds_the_runtimes() -> None:
    """Both install the same versions, so tests run what people run."""

    def pinned(name: str) -> set[str]:
        lines = (CHECKOUT / name).read_text().splitlines()
        return {line.split(" ")[0] for line in lines if "==" in line and not line.startswith(("#", " "))}

    assert pinned("requirements.lock") <= pinned("requirements-dev.lock")


def test_each_dependency_is_locked() -> None:
    """A dependency added to pyproject.toml without `make lock` is noticed here."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    extras = [one for name, extra in project["optional-dependencies"].items() if name != "all" for one in extra]
    locked = (CHECKOUT / "requirements.lock").read_text().lower()
    wanted = [one.split(">")[0].split("[")[0].lower() for one in (*project["dependencies"], *extras)]
    assert [name for name in wanted if f"\n{name}" not in locked] == []
