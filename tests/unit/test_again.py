"""What failed by chance is run once more; what fails again, or fails in numbers, stays a failure."""

import json
from pathlib import Path

import pytest

from tests.again import LAST, again

FLAKY = """
from pathlib import Path
def test_once():
    seen = Path("seen")
    first = not seen.exists()
    seen.touch()
    assert not first
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / LAST).parent.mkdir(parents=True)
    return tmp_path


def failed(place: Path, *tests: str) -> None:
    (place / LAST).write_text(json.dumps(dict.fromkeys(tests, True)))


def test_a_test_that_passes_alone_is_no_failure(place: Path) -> None:
    (place / "test_it.py").write_text(FLAKY)
    (place / "seen").touch()
    failed(place, "test_it.py::test_once")
    assert again(1, "not soak") == 0


def test_a_test_that_fails_again_is_one(place: Path) -> None:
    (place / "test_it.py").write_text(FLAKY)
    failed(place, "test_it.py::test_once")
    assert again(1, "not soak") == 1


@pytest.mark.parametrize("status", [2, 3, 4])
def test_a_run_that_went_wrong_is_not_mended(place: Path, status: int) -> None:
    (place / "test_it.py").write_text(FLAKY)
    (place / "seen").touch()
    failed(place, "test_it.py::test_once")
    assert again(status, "not soak") == status


def test_many_failures_are_no_accident(place: Path) -> None:
    failed(place, *(f"test_it.py::test_{number}" for number in range(4)))
    assert again(1, "not soak") == 1
