"""monitor.yaml about people: templates read with the configuration, digests and their times, and what Apprise takes."""

import subprocess
import sys
from pathlib import Path

import pytest

from monitor.config.load import Config, load_config
from monitor.daemon.routing import routing
from monitor.errors import ConfigErrors
from monitor.findings.matchers import parse_matcher
from monitor.notify.places import Remembered
from monitor.receivers import receiver
from monitor.whole import whole_catalog

CATALOG = whole_catalog()
BASE = "targets: [{name: shop, dsn: host=x}]\n"
SLACK = (
    "receivers: {ops: {slack: {webhook: 'https://hooks.example.com/x'}, template: ops.j2}}\nroute: {receiver: ops}\n"
)
SCREEN = "receivers: {a: {console: {}}, am: {alertmanager: {urls: ['http://h']}}}\nroute: {receiver: am}\n"


def config(folder: Path, text: str) -> Config:
    path = folder / "monitor.yaml"
    path.write_text(BASE + text)
    return load_config(path, CATALOG, {})


def mistake(folder: Path, text: str) -> str:
    with pytest.raises(ConfigErrors) as caught:
        config(folder, text)
    (error,) = caught.value.errors
    return str(error).removeprefix(f"{folder}/")


# -- templates ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["slack: {webhook: 'https://hooks.example.com/x'}", "apprise: {urls: ['json://h']}"])
def test_a_template_lies_beside_the_configuration_and_is_handed_to_its_receiver(tmp_path: Path, kind: str) -> None:
    (tmp_path / "ops.j2").write_text("{{ tally }}")
    loaded = config(tmp_path, f"receivers: {{ops: {{{kind}, template: ops.j2}}}}\nroute: {{receiver: ops}}\n")
    made = receiver("ops", loaded.receivers["ops"], "http://h", Remembered(), loaded.templates["ops"])
    assert getattr(made, "template", None) is loaded.templates["ops"]


def test_the_same_template_read_again_makes_the_same_receiver(tmp_path: Path) -> None:
    """So that a reload does not disturb who waits after a failure."""
    (tmp_path / "ops.j2").write_text("{{ tally }}")
    first, again = (routing(config(tmp_path, SLACK), "http://h", Remembered()).receivers for _ in range(2))
    assert first == again
    (tmp_path / "ops.j2").write_text("{{ tally }}!")
    assert routing(config(tmp_path, SLACK), "http://h", Remembered()).receivers != first


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("a\n{{ alert.title }}", "ops.j2:2: there is no 'alert'"),
        ("{% for", "ops.j2:1: "),
        (None, "ops.j2: cannot be read (No such file or directory)"),
    ],
)
def test_a_broken_template_is_told_at_its_key(tmp_path: Path, source: str | None, says: str) -> None:
    if source is not None:
        (tmp_path / "ops.j2").write_text(source)
    assert mistake(tmp_path, SLACK).startswith(f"monitor.yaml:2: receivers.ops.template: {says}")


@pytest.mark.parametrize(
    "kind", ["console: {}", "webhook: {url: 'http://h'}", "slack: {token: xoxb-1, channel: C1}", "alertmanager: {urls: ['http://h']}"]
)  # fmt: skip
def test_a_receiver_without_words_of_its_own_takes_no_template(tmp_path: Path, kind: str) -> None:
    text = f"receivers: {{ops: {{{kind}, template: ops.j2}}}}\nroute: {{receiver: ops}}\n"
    assert "receivers.ops.template: only a Slack webhook and apprise take a template" in mistake(tmp_path, text)


def test_a_url_that_apprise_cannot_read_is_told_and_not_shown(tmp_path: Path) -> None:
    text = "receivers: {all: {apprise: {urls: ['json://h', 'nosuch://hush']}}}\nroute: {receiver: all}\n"
    told = mistake(tmp_path, text)
    assert "receivers.all.apprise.urls[1]: Apprise knows no such service" in told
    assert "hush" not in told


# -- digests ------------------------------------------------------------------------------------------------------


def test_a_digest_is_read_whole_and_its_receiver_is_made_without_a_route(tmp_path: Path) -> None:
    loaded = config(
        tmp_path,
        "receivers: {a: {console: {}}}\n"
        "digests: [{name: weekly, receiver: a, cron: '0 8 * * 1', time_zone: Europe/Berlin, matchers: [env=prod]}]\n",
    )
    (weekly,) = loaded.digests
    assert (weekly.name, weekly.receiver, weekly.cron, weekly.time_zone) == (
        "weekly",
        "a",
        "0 8 * * 1",
        "Europe/Berlin",
    )
    assert weekly.matchers == (parse_matcher("env=prod"),)
    assert [each.name for each in routing(loaded, "http://h", Remembered()).receivers] == ["a"]
    assert not [warning for warning in loaded.warnings if "receivers" in warning]


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ("receiver: b, cron: '0 8 * * *'", "digests[0].receiver: no such receiver; there are: a, am"),
        ("receiver: am, cron: '0 8 * * *'", "digests[0].receiver: is an Alertmanager, which takes alerts only"),
        ("receiver: a, cron: '0 8 * *'", "digests[0].cron: should be five fields"),
        ("receiver: a, cron: '0 8 31 2 *'", "digests[0].cron: is a time that never comes"),
        ("receiver: a, cron: '0 8 * * *', time_zone: Mars", "digests[0].time_zone: is no time zone"),
        ("receiver: a", "digests[0].cron: is required"),
        ("receiver: a, cron: '0 8 * * *', matchers: [severity]", "digests[0].matchers[0]: severity: not a matcher"),
    ],
)
def test_a_digest_that_cannot_be_is_told(tmp_path: Path, keys: str, says: str) -> None:
    assert mistake(tmp_path, f"{SCREEN}digests: [{{name: daily, {keys}}}]\n").startswith(f"monitor.yaml:4: {says}")


def test_two_digests_of_one_name_are_one_too_many(tmp_path: Path) -> None:
    """By its name the time of the last one is remembered."""
    one = "{name: daily, receiver: a, cron: '0 8 * * *'}"
    assert "digests[1].name: another digest has this name" in mistake(tmp_path, f"{SCREEN}digests: [{one}, {one}]\n")


WITHOUT_APPRISE = """
import sys
import subprocess
import sys
from pathlib import Path
sys.modules["apprise"] = None  # as Python itself marks what is not to be found
from monitor.config.load import load_config
from monitor.whole import whole_catalog
print(*load_config(Path(sys.argv[1]), whole_catalog(), {}).warnings, sep="\\n")
"""


def test_without_apprise_the_configuration_loads_and_warns(tmp_path: Path) -> None:
    """Whoever checks it on a machine that has all but the extra learns what to install."""
    path = tmp_path / "monitor.yaml"
    path.write_text(BASE + "receivers: {all: {apprise: {urls: ['json://h']}}}\nroute: {receiver: all}\n")
    told = subprocess.run([sys.executable, "-c", WITHOUT_APPRISE, path], check=True, capture_output=True, text=True)
    assert "monitor.yaml:2: receivers.all.apprise: can deliver nothing: apprise is not installed" in told.stdout
    assert "pgarchitect[chat]" in told.stdout
