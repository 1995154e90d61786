"""`--output`: the file is there whole or as it was, with the rights it had, and a mistake is told before the look."""

import os
import stat
from pathlib import Path

import pytest

from monitor.cli.output import check_output, to_file
from monitor.errors import UsageError


def test_a_new_file_gets_the_usual_rights(tmp_path: Path) -> None:
    """Those of the umask, not those of a temporary file."""
    path = tmp_path / "report.html"
    to_file(path, "whole ✓")
    mask = os.umask(0)
    os.umask(mask)
    assert path.read_text(encoding="utf-8") == "whole ✓"
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask


def test_an_old_file_is_replaced_and_keeps_its_rights(tmp_path: Path) -> None:
    """Who has it open goes on reading the old one; nothing else is left in the folder."""
    path = tmp_path / "report.html"
    path.write_text("old")
    path.chmod(0o640)
    with path.open() as before:
        to_file(path, "new")
        assert before.read() == "old"
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("new", 0o640)
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """What it points to is written."""
    path, link = tmp_path / "report.html", tmp_path / "newest.html"
    path.write_text("old")
    link.symlink_to(path)
    to_file(link, "new")
    assert link.is_symlink()
    assert path.read_text() == "new"


def test_what_is_no_plain_file_is_written_to() -> None:
    """`--output /dev/null` does not replace the device."""
    to_file(Path("/dev/null"), "gone")
    assert not Path("/dev/null").is_file()


@pytest.mark.parametrize(
    ("path", "words"), [("", "is a folder"), ("missing/report", "there is no folder"), ("file/report", "no folder")]
)
def test_what_cannot_be_written_is_told_at_once(path: str, words: str, tmp_path: Path) -> None:
    """What is wrong, and what to do."""
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=words):
        check_output(tmp_path / path)


def test_a_failure_leaves_the_old_file(tmp_path: Path) -> None:
    """And no half of the new one."""
    path = tmp_path / "report"
    path.write_text("old")
    with pytest.raises(UsageError, match="File name too long"):
        to_file(tmp_path / ("n" * 300), "new")
    assert [(each, each.read_text()) for each in tmp_path.iterdir()] == [(path, "old")]
