"""The table of metrics and of what peers call them: up to date, and about metrics that exist."""

from pathlib import Path

import pytest

from dashboards.metrics import FILE, lines, main, probes
from dashboards.peers import PEERS


def test_the_table_is_up_to_date() -> None:
    """`make docs` was run after the last change of a metric."""
    assert main(["--check"]) == 0


def test_every_correspondence_is_about_a_metric_that_exists() -> None:
    """A renamed metric takes its row along."""
    exported = {each.split("`")[1] for probe in probes() for each in lines(probe)} | {"pgarchitect_up"}
    assert sorted(PEERS.keys() - exported) == []


def test_a_stale_table_is_told_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The check says what to run and changes nothing; without it the file is written."""
    file = tmp_path / "METRICS.md"
    file.write_text("old", encoding="utf-8")
    assert main(["--check"], file) == 1
    assert (file.read_text(encoding="utf-8"), "make docs" in capsys.readouterr().err) == ("old", True)
    assert main([], file) == 0
    assert file.read_text(encoding="utf-8") == FILE.read_text(encoding="utf-8")
    assert main(["--what"], file) == 2
