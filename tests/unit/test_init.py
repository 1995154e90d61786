"""The starter configuration and the shipped example, which are one file: sound, private, and never over another."""

import stat
from pathlib import Path

import pytest

from monitor.catalog import load_catalog
from monitor.config import load_config
from monitor.errors import UsageError
from monitor.init import starter
from monitor.shipped import shipped

DSN = "postgresql://monitor@db/shop"


@pytest.mark.parametrize("change", [("", ""), ("  # ops:", "  ops:"), ("# statements:", "statements:")])
def test_the_shipped_example_is_a_sound_configuration(tmp_path: Path, change: tuple[str, str]) -> None:
    (path, *_) = starter(tmp_path)
    text = path.read_text()
    assert change[0] in text
    path.write_text(text.replace(*change))
    config = load_config(path, load_catalog(), {"PGARCHITECT_DSN": DSN, "SLACK_WEBHOOK": "https://hooks.example.com/x"})
    assert [server.name for server in config.servers] == ["shop"]
    assert config.route is not None
    assert (config.route.receiver, config.store_url.reveal()) == ("screen", f"sqlite:///{tmp_path}/state.db")
    assert "subscriptions.stopped" in config.catalog.rules


def test_the_starter_writes_the_example_for_its_owner_only(tmp_path: Path) -> None:
    written = starter(tmp_path / "new" / "place")
    assert [str(path.relative_to(tmp_path)) for path in written] == [
        "new/place/monitor.yaml",
        "new/place/probes.d/subscriptions.yaml",
    ]
    assert written[0].read_text() == shipped("config", "monitor.example.yaml").read_text()
    assert stat.S_IMODE(written[0].stat().st_mode) == 0o600


def test_the_starter_overwrites_nothing(tmp_path: Path) -> None:
    (tmp_path / "monitor.yaml").write_text("mine")
    with pytest.raises(UsageError, match="is there already"):
        starter(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["monitor.yaml"]


def test_the_starter_says_when_it_cannot_write(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        starter(tmp_path / "file")
