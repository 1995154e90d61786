"""Discovery: servers out of file_sd files, what is wrong with a file, and a password that is nowhere to be seen."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import pytest

from monitor.config.discovery import Discovery, Look, Lookout, dsn_of
from monitor.config.file_sd import MOST_TARGETS, Found, read_targets
from monitor.config.load import Config, load_config
from monitor.dsn import check_dsn, read_dsn
from monitor.errors import ConfigErrors
from monitor.model import Secret, Server
from tests.unit.handmade import CATALOG

CANARY = "c4n4ry"
DSN = "postgresql://monitor@{address}/postgres"


def read(text: str, file: str = "a.yaml") -> tuple[Found, ...]:
    return read_targets(file, text.encode())


def mistakes(text: str | bytes, file: str = "a.yaml") -> list[str]:
    with pytest.raises(ConfigErrors) as caught:
        read_targets(file, text if isinstance(text, bytes) else text.encode())
    assert CANARY not in str(caught.value)
    return [str(error) for error in caught.value.errors]


class Folder:
    """A folder with files of targets, and a lookout over it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.entry = Discovery(files=(f"{path}/*.yaml",), dsn=Secret(DSN), password=Secret(CANARY))
        self.lookout = Lookout()
        self.taken: Sequence[str] = ()

    def write(self, name: str, *addresses: str) -> Path:
        file = self.path / name
        file.write_text(f"- targets: {json.dumps(addresses)}\n")
        return file

    def look(self) -> Look:
        look = self.lookout.look([self.entry], self.taken)
        assert CANARY not in repr(look)
        return look

    def names(self) -> list[str]:
        return [server.name for server in self.look().servers]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_yaml_and_json_say_the_same() -> None:
    """Targets with their group's labels; numbers in YAML are texts, as Prometheus has it."""
    groups = [{"targets": ["db1:5432", "[::1]:6000"], "labels": {"env": "prod", "rack": "5"}}, {"targets": ["db2"]}]
    in_yaml = (
        "# made by hand\n- targets: [db1:5432, '[::1]:6000']\n  labels: {env: prod, rack: 5}\n- targets:\n  - db2\n"
    )
    found = read(in_yaml)
    assert [(each.name, each.labels, each.line) for each in found] == [
        ("db1:5432", {"env": "prod", "rack": "5"}, 2),
        ("[::1]:6000", {"env": "prod", "rack": "5"}, 2),
        ("db2", {}, 5),
    ]
    again = read(json.dumps(groups), "a.json")
    assert [(each.name, each.address, each.labels) for each in again] == [
        (each.name, each.address, each.labels) for each in found
    ]


def test_a_label_may_name_a_target_and_hidden_ones_stay_hidden() -> None:
    """The label __name is the name; it and whatever else begins with __ are no labels of the server."""
    (found,) = read("- {targets: ['10.0.0.1:5432'], labels: {__name: shop, __meta_zone: a, env: prod}}")
    assert (found.name, found.address, found.labels) == ("shop", "10.0.0.1:5432", {"env": "prod"})


def test_a_file_may_name_nobody() -> None:
    assert (read("[]"), read("[]", "a.json"), read("- targets: []\n  labels:\n")) == ((), (), ())


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "a.yaml: is empty; write [] to name no target"),
        ("# nobody\n", "a.yaml: is no list"),
        (b"\xff\xfe", "a.yaml: is not UTF-8 text"),
        (b"- \x00", "a.yaml: is not YAML: it holds a character that no text has"),
        (f"- targets: [{CANARY}\n", "a.yaml:2: is not YAML:"),
        ("targets: [a]\n", "a.yaml:1: is no list; write - targets: [HOST:PORT]"),
        ("- a:5432\n", "a.yaml:1: [0]: should be a mapping"),
        ("- labels: {env: x}\n", "a.yaml:1: [0].targets: should be a list"),
        ("- targets: a:5432\n", "a.yaml:1: [0].targets: should be a list"),
        ("- targets:\n  - a\n  - [b]\n", "a.yaml:3: [0].targets[1]: is no address"),
        (f"- targets: ['postgresql://u:{CANARY}@h/d']\n", "[0].targets[0]: is no address; write HOST, HOST:PORT"),
        (f"- targets: ['h:5432/x?password={CANARY}']\n", "[0].targets[0]: is no address"),
        (f"- targets: ['{CANARY}@h']\n", "[0].targets[0]: is no address"),
        ("- targets: ['h1,h2']\n", "[0].targets[0]: is no address"),
        ("- targets: ['h:70000']\n", "[0].targets[0]: is no address"),
        ("- targets: ['h:0']\n", "[0].targets[0]: is no address"),
        ("- targets: ['']\n", "[0].targets[0]: is no address"),
        (f"- {{targets: [a], password: {CANARY}}}\n", "[0].password: no such key; has: labels, targets; no secrets"),
        (f"- targets: [!file {CANARY}]\n".replace(CANARY, "pw"), "a.yaml:1: the tag !file has no meaning here"),
        ("- {targets: [a], labels: {severity: x}}\n", "[0].labels.severity: is a label we set ourselves"),
        ("- {targets: [a], labels: {a-b: x}}\n", "[0].labels.a-b: is no label name"),
        ("- {targets: [a], labels: {env: [x]}}\n", "[0].labels.env: should be a text"),
        ("- {targets: [a], labels: [x]}\n", "[0].labels: should be a mapping"),
        ("- {targets: [a], labels: {__name: a b}}\n", "[0].targets[0]: has no usable name"),
        (f"- targets: [{'a' * 101}]\n", "[0].targets[0]: has no usable name: one to 100 characters"),
        ("- targets: [a]\n- targets: [a]\n", "a.yaml:2: [1].targets[0]: another target is named a; first on line 1"),
        ("- {targets: [a, b], labels: {__name: c}}\n", "[0].targets[1]: another target is named c"),
        ("- targets: [a]\n  targets: [b]\n", "a.yaml:2: a key is given twice"),
        ("- targets: &a [*a]\n", "a.yaml:1: uses an alias, or is nested too deeply"),
        ("[" * 5000, "a.yaml:1: uses an alias, or is nested too deeply"),
        ("[]\n---\n[]\n", "a.yaml: holds several documents"),
    ],
)  # fmt: skip
def test_one_mistake_in_a_file_gives_one_line_that_shows_no_address(text: str | bytes, complaint: str) -> None:
    """An address that is none may be a whole DSN, so it is never repeated."""
    (mistake,) = mistakes(text)
    assert complaint in mistake


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('[{"targets": ["a"]},]', "a.json:1: is not JSON:"),
        ("[" * 100_000, "a.json: is nested too deeply"),
        ('{"targets": ["a"]}', "a.json: is no list"),
        ('[{"targets": [5]}]', "a.json: [0].targets[0]: is no address"),
        ('[{"targets": ["a"], "labels": {"env": 5}}]', "a.json: [0].labels.env: should be a text"),
    ],
)
def test_json_has_its_own_mistakes(text: str, complaint: str) -> None:
    (mistake,) = mistakes(text, "a.json")
    assert mistake.startswith(complaint)


def test_all_mistakes_of_a_file_are_named_at_once() -> None:
    assert len(mistakes("- {targets: ['@'], label: {}}\n- x\n- {targets: [b], labels: {area: x}}\n")) == 4


def test_a_file_names_only_so_many() -> None:
    (mistake,) = mistakes(json.dumps([{"targets": [f"h{n}" for n in range(MOST_TARGETS + 5)]}]), "a.json")
    assert "is one too many" in mistake


@pytest.mark.parametrize("password", ["plain", "p@ss:w/o#r?d%20 &=+", "ü'\"\\ñ", "{address}"])
@pytest.mark.parametrize("template", [DSN, "postgresql://{address}", "postgres://m:@{address}/d?sslmode=require"])
def test_any_password_comes_through_the_dsn_as_it_is(password: str, template: str) -> None:
    """Escaped, so that it is neither read as a part of the URL nor refused."""
    dsn = dsn_of(Secret(template), Secret(password), "db1.example.com:6000").reveal()
    check_dsn(dsn)
    assert read_dsn(dsn, {}).address == "db1.example.com:6000"
    assert dsn.partition("://")[2].rpartition("@")[0].partition(":")[2] == quote(password, safe="")


def test_a_found_target_becomes_a_server_of_its_entry(folder: Folder) -> None:
    """Name, DSN and labels; the file's labels go before those of the entry."""
    folder.entry = Discovery(
        files=folder.entry.files,
        dsn=Secret(DSN),
        password=Secret(CANARY),
        labels={"env": "test", "team": "db"},
        include=("shop_.*",),
        exclude=("shop_tmp",),
        through_pooler="true",
    )
    (folder.path / "a.yaml").write_text("- {targets: ['db1:5432'], labels: {env: prod}}")
    assert folder.look() == Look(
        servers=(
            Server(
                name="db1:5432",
                dsn=Secret(f"postgresql://monitor:{CANARY}@db1:5432/postgres"),
                labels={"env": "prod", "team": "db"},
                include=("shop_.*",),
                exclude=("shop_tmp",),
                through_pooler="true",
            ),
        )
    )


def test_a_found_pgbouncer_is_one(folder: Folder) -> None:
    """The kind is the entry's; a file cannot choose it."""
    folder.entry = Discovery(files=folder.entry.files, dsn=Secret(DSN), kind="pgbouncer")
    (folder.path / "a.yaml").write_text("- {targets: ['pool1:6432'], labels: {__kind: postgres}}")
    assert [(server.name, server.kind) for server in folder.look().servers] == [("pool1:6432", "pgbouncer")]


def test_targets_come_and_go_with_the_files(folder: Folder) -> None:
    """A file that is gone counts for one more look: somebody may be replacing it."""
    assert folder.names() == []
    file = folder.write("a.yaml", "db1", "db2")
    assert folder.names() == ["db1", "db2"]
    folder.write("b.yaml", "db3")
    folder.write("a.yaml", "db2")
    assert folder.names() == ["db2", "db3"]
    file.unlink()
    assert folder.names() == ["db3", "db2"]
    folder.write("a.yaml", "db2")
    assert folder.names() == ["db2", "db3"]
    file.unlink()
    folder.names()
    assert folder.names() == ["db3"]
    folder.write("b.yaml")
    assert folder.names() == []


def test_a_changed_content_is_seen_whatever_the_clock_says(folder: Folder) -> None:
    """Size and time of change may stay the same."""
    file = folder.write("a.yaml", "db1")
    told = file.stat()
    assert folder.names() == ["db1"]
    folder.write("a.yaml", "db2")
    os.utime(file, ns=(told.st_atime_ns, told.st_mtime_ns))
    assert folder.names() == ["db2"]


@pytest.mark.parametrize("broken", ["- targets: [a\n", "", "- targets: ['db1', '@']\n", "- targets: [x, x]\n"])
def test_a_broken_file_goes_on_with_what_it_said_last(folder: Folder, broken: str) -> None:
    """Whole: not even the sound half of it is taken over; mended, it counts again."""
    file = folder.write("a.yaml", "db1", "db2")
    folder.write("b.yaml", "db3")
    before = folder.look()
    file.write_text(broken)
    after = folder.look()
    assert (after.servers, after.whole) == (before.servers, True)
    assert [error.file for error in after.broken] == [str(file)]
    assert folder.look() == after
    folder.write("a.yaml", "db4")
    assert (folder.names(), folder.look().broken) == (["db4", "db3"], ())


def test_a_file_that_was_never_sound_leaves_open_who_is_named(folder: Folder) -> None:
    """So that after a restart with a broken file nothing is taken for gone."""
    file = folder.path / "a.yaml"
    file.write_text("- [")
    folder.write("b.yaml", "db3")
    look = folder.look()
    assert ([server.name for server in look.servers], look.whole) == (["db3"], False)
    file.unlink()
    assert folder.look().whole


def test_a_folder_or_a_huge_file_is_no_list_of_targets(folder: Folder) -> None:
    (folder.path / "b.yaml").mkdir()
    (folder.path / "a.yaml").write_bytes(b" " * (17 * 1024 * 1024))
    (problem,) = folder.look().broken
    assert str(problem) == f"{folder.path}/a.yaml: is larger than 16 MiB"


def test_a_name_is_given_once(folder: Folder) -> None:
    """Configured targets go before, then files in their order; the others are left out and named."""
    folder.taken = ["db1"]
    folder.write("a.yaml", "db1", "db2")
    folder.write("b.yaml", "db2", "db3")
    assert folder.names() == ["db2", "db3"]
    first, second = [str(error) for error in folder.look().clashes]
    left_out = "; this one is left out; the label __name gives it another name"
    assert first == f"{folder.path}/a.yaml:1: a target named db1 is in the configuration already{left_out}"
    assert second == f"{folder.path}/b.yaml:1: a target named db2 is in {folder.path}/a.yaml already{left_out}"


def test_a_target_that_moves_to_another_file_is_no_clash(folder: Folder) -> None:
    """The old file may be gone already, or just now."""
    file = folder.write("a.yaml", "db1")
    assert folder.names() == ["db1"]
    file.rename(folder.path / "b.yaml")
    look = folder.look()
    assert ([server.name for server in look.servers], look.clashes) == (["db1"], ())


# --- the configuration ---------------------------------------------------------------------------------------------


def loaded(folder: Path, text: str) -> Config:
    (folder / "monitor.yaml").write_text(text)
    (folder / "pw").write_text(CANARY + "\n")
    return load_config(folder / "monitor.yaml", CATALOG, {})


def test_the_configuration_finds_servers_beside_itself(tmp_path: Path) -> None:
    """Without any target of its own; no secret is in its repr."""
    (tmp_path / "targets.d").mkdir()
    (tmp_path / "targets.d" / "a.yaml").write_text("- targets: [db1]\n")
    config = loaded(tmp_path, f"discovery: [{{files: ['targets.d/*.yaml'], dsn: '{DSN}', password: !file pw}}]\n")
    (server,) = config.everyone
    assert (config.servers, config.warnings) == ((), ())
    assert (server.name, server.dsn.reveal()) == ("db1", f"postgresql://monitor:{CANARY}@db1/postgres")
    assert CANARY not in repr(config)


def test_what_is_wrong_in_a_file_is_a_warning_of_the_configuration(tmp_path: Path) -> None:
    """For a file changes while the configuration stays, and a daemon has to start all the same."""
    (tmp_path / "a.yaml").write_text("- targets: ['@']\n")
    (tmp_path / "b.yaml").write_text("- targets: [db1]\n")
    text = f"targets: [{{name: db1, dsn: host=h}}]\ndiscovery:\n- {{files: [a.yaml, b.yaml, c.yaml], dsn: '{DSN}'}}\n"
    warnings = [line.replace(f"{tmp_path}/", "") for line in loaded(tmp_path, text).warnings]
    assert [line.partition(";")[0] for line in warnings] == [
        "monitor.yaml:3: discovery[0].files[2]: matches no file",
        "a.yaml:1: [0].targets[0]: is no address",
        "b.yaml:1: a target named db1 is in the configuration already",
    ]


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        (f"files: [a], dsn: 'postgresql://monitor:{CANARY}@db/postgres'", "discovery[0]: the dsn should be a URL with"),
        (f"files: [a], dsn: 'postgresql://monitor@h/{{address}}?password={CANARY}'", "the dsn should be a URL with"),
        ("files: [a], dsn: 'host={address} user=monitor'", "the dsn should be a URL with"),
        (f"files: [a], dsn: 'mysql://{CANARY}@{{address}}'", "is not a PostgreSQL URL"),
        (f"files: [a], dsn: 'postgresql://m:{CANARY}@{{address}}', password: x", "has a password twice"),
        (f"files: [a], dsn: 'postgresql://{{address}}/?password={CANARY}', password: x", "has a password twice"),
        (f"files: [a], dsn: '{DSN}', password: ''", "discovery[0].password: should be a text"),
        (f"files: [], dsn: '{DSN}'", "discovery[0].files: "),
        (f"files: a, dsn: '{DSN}'", "discovery[0].files: should be a list"),
        (f"dsn: '{DSN}'", "discovery[0].files: is required"),
        ("files: [a]", "discovery[0].dsn: is required"),
        (f"files: [a], dsn: '{DSN}', labels: {{area: x}}", "labels.area: is a label we set ourselves"),
        (f"files: [a], dsn: '{DSN}', passwd: {CANARY}", "discovery[0].passwd: no such key; did you mean password?"),
    ],
)
def test_one_mistake_in_an_entry_gives_one_line(tmp_path: Path, entry: str, complaint: str) -> None:
    with pytest.raises(ConfigErrors) as caught:
        loaded(tmp_path, f"discovery: [{{{entry}}}]\n")
    (mistake,) = caught.value.errors
    assert complaint in str(mistake)
    assert CANARY not in str(mistake)


def test_links_may_name_targets_that_are_discovered(tmp_path: Path) -> None:
    """Who is discovered tomorrow is not known today; but whom a link means has to be said."""
    text = f"discovery: [{{files: [a.yaml], dsn: '{DSN}'}}]\nauth: {{links: [{{table: t, column: c"
    assert loaded(tmp_path, text + ", target: db7}]}\n").discovery
    with pytest.raises(ConfigErrors, match="needs a target, for there are several"):
        loaded(tmp_path, text + "}]}\n")
