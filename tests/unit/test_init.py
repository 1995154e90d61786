"""The starter configuration and the shipped example, which are one file: sound, private, and never over another."""

import re
import stat
from pathlib import Path

import pytest

from monitor.catalog import load_catalog
from monitor.config.load import load_config
from monitor.config.starter import starter
from monitor.errors import UsageError
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


COMMENTED_KEY = re.compile(r"^( *)# ( *(?:- |(?!pgarchitect)[a-z_]+:))", re.MULTILINE)
ENVIRON = {
    "PGARCHITECT_DSN": DSN,
    "POOL_DSN": "postgresql://monitor@pooler.example.com:6432/pgbouncer",
    "STANDBY_DSN": "postgresql://monitor@standby.example.com:5432/shop",
    "SLACK_WEBHOOK": "https://hooks.example.com/x",
    "SLACK_TOKEN": "xoxb-1",
    "CHAT_URL": "json://chat.example.com",
    "HOOK_SECRET": "hush",
    "ANNS_PASSWORD": "hush",
    "API_TOKEN": "a-token-long-enough-to-be-one",
}


def test_all_that_the_example_shows_in_comments_works_together(tmp_path: Path) -> None:
    """Every commented key, without its `#`: no mistake, and nothing that has no effect."""
    (path, *_) = starter(tmp_path)
    (tmp_path / "pw").write_text("hush")
    (tmp_path / "all.j2").write_text("{{ tally }}")
    (tmp_path / "targets.d").mkdir()
    (tmp_path / "targets.d" / "some.yaml").write_text("[{targets: ['db1.example.com:5432']}]")
    text = COMMENTED_KEY.sub(r"\1\2", path.read_text()).replace("/run/secrets/pw", str(tmp_path / "pw"))
    path.write_text(text.replace("links: [{", "links: [{target: shop, "))  # with discovery there are several
    config = load_config(path, load_catalog(), ENVIRON)
    assert set(config.receivers) == {"screen", "ops", "team", "am", "all", "program"}
    assert [digest.title for digest in config.digests] == ["Weekly digest"]
    assert (len(config.inhibitions), len(config.ignores), set(config.intervals)) == (1, 1, {"nights"})
    assert config.route is not None
    assert [route.receiver for route in config.route.routes] == ["team", "ops", "program", "am"]
    assert not [warning for warning in config.warnings if "statements" not in warning]
    assert (set(config.web.basic_auth), len(config.web.tokens)) == ({"ann"}, 1)


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
