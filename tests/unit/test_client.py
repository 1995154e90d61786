"""`monitor findings` against a real door: what it prints, what it changes, and how it says that nobody is there."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from aiohttp import web as aioweb
from aiohttp.typedefs import Handler
from typer.testing import CliRunner

from monitor.cli.findings import findings as commands
from monitor.cli.reach import Listening, Way, door, listening
from monitor.cli.shown import Sheet, one_finding, state, table_of_findings, table_of_silences
from monitor.client import PAGE, Client, Door
from monitor.config.model import Web as WebYaml
from monitor.errors import MonitorError, UsageError
from monitor.expose import api
from monitor.expose.credentials import Credentials
from monitor.model import Remedy, Secret, State
from monitor.status import Past
from tests.unit.controls import Ledger, certificate, lock_up, serving
from tests.unit.shelf import NOW, Pile, alert, finding, glance

CANARY = "c4n4ry"
HASH = "$2b$12$" + "a" * 53
FINGERPRINT = finding().fingerprint
OTHER = finding("public.b")
SHEET = Sheet(width=100, colour=False, now=NOW)


def pile() -> Pile:
    over = replace(alert(finding("public.c"), State.RESOLVED), ends_at=NOW)
    return Pile(alerts_=[alert(), alert(OTHER, State.PENDING), over])


def desk() -> Ledger:
    return Ledger(fingerprints={FINGERPRINT, OTHER.fingerprint})


@dataclass(frozen=True)
class Said:
    status: int
    out: str
    err: str


async def run(*arguments: str, **environ: str) -> Said:
    """Run the sub-command beside the loop that serves it, without what the tests' own user has set."""
    wiped: dict[str, str | None] = {name: None for name in os.environ if name.startswith("PGARCHITECT_")}
    invoke = partial(CliRunner().invoke, commands, arguments, env={**wiped, "USER": "ann", **environ})
    async with asyncio.timeout(30):
        result = await asyncio.to_thread(invoke)
    if isinstance(result.exception, MonitorError):  # the command line's own ending is tried below
        return Said(2, result.stdout, f"monitor: {result.exception}")
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return Said(result.exit_code, result.stdout, result.stderr)


async def test_findings_are_listed_and_one_is_shown_by_its_beginning() -> None:
    """Those that are over only when asked for; JSON is the API's."""
    async with serving(pile(), desk()) as web:
        at = ("--url", web.url)
        listed = await run("list", *at)
        everything = await run("list", "--status", "all", "--rule", "index.*", "--format", "json", *at)
        none = await run("list", "--severity", "info", *at)
        shown = await run("show", FINGERPRINT[:6], *at)
    assert listed.status == 0, listed.err
    rows = listed.out.splitlines()[2:]
    assert [row.split()[0] for row in rows] == [FINGERPRINT[:10], OTHER.fingerprint[:10]]
    assert "public.rooms (owner_id)" in rows[0]
    assert len(json.loads(everything.out)["findings"]) == 3
    assert none.out == "no findings\n"
    assert "create index concurrently rooms_owner_id_idx" in shown.out
    assert re.search(rf"finding +{FINGERPRINT}\n", shown.out)


async def test_a_finding_is_acked_and_silenced_by_command() -> None:
    """$USER says so; a target's silence is a maintenance window."""
    controls = desk()
    async with serving(pile(), controls) as web:
        at = ("--url", web.url)
        acked = await run("ack", FINGERPRINT[:6], "--comment", "known", *at)
        unacked = await run("unack", FINGERPRINT, "--author", "bob", *at)
        window = await run("silence", "--target", 'sh"op', "--for", "2h", "--comment", "upgrade", *at)
        rule = await run("silence", 'rule=~"index.*"', "--until", "2030-01-01T00:00:00Z", "--comment", "c", *at)
        listed = await run("silences", "--all", *at)
        ended = await run("unsilence", "silence-1", *at)
    assert [each.err for each in (acked, unacked, window, rule, listed, ended)] == [""] * 6
    assert "acked by ann (loopback)" in acked.out
    assert window.out.startswith("silence-1  silent until 2026-11-22T17:00:00+00:00: target=")
    assert ['"index.*"' in line for line in listed.out.splitlines() if line.startswith("silence-")] == [False, True]
    assert controls.audit == [
        ("ack", FINGERPRINT, "ann (loopback)", "known"),
        ("unack", FINGERPRINT, "bob (loopback)"),
        ("silence", "silence-1", "ann (loopback)"),
        ("silence", "silence-2", "ann (loopback)"),
        ("unsilence", "silence-1", "ann (loopback)"),
    ]


async def test_a_mistake_is_one_clear_line() -> None:
    """On stderr, with exit status 2 and nothing on stdout."""
    async with serving(pile(), desk()) as web:
        at = ("--url", web.url)
        mistakes = {
            "ffff: no such finding": ("show", "ffff", *at),
            "comment: is empty": ("ack", FINGERPRINT, "--comment", " ", *at),
            "silence: of what?": ("silence", "--for", "2h", "--comment", "c", *at),
            "silence: say how long": ("silence", "a=b", "--comment", "c", *at),
            "duration: should be": ("silence", "a=b", "--for", "soon", "--comment", "c", *at),
            "nonsense: not a matcher": ("silence", "nonsense", "--for", "2h", "--comment", "c", *at),
            "../x: no such silence": ("unsilence", "../x", *at),
            "--url: should begin with": ("list", "--url", "127.0.0.1:9779"),
            "--url: no user or password in it": ("list", "--url", f"http://ann:{CANARY}@localhost:1"),
        }
        said = [await run(*arguments) for arguments in mistakes.values()]
        port = web.port
    gone = await run("list", PGARCHITECT_URL=f"http://127.0.0.1:{port}")
    for words, each in zip(mistakes, said, strict=True):
        assert (each.status, each.out) == (2, ""), words
        assert each.err.startswith(f"monitor: {words}")
        assert CANARY not in each.err
    assert gone.status == 2
    assert f"http://127.0.0.1:{port}: no daemon answers there; start one" in gone.err


async def test_the_command_line_ends_with_the_mistake_and_its_status() -> None:
    """In a process of its own, as a user runs it: no traceback."""
    program = "from monitor import cli; from monitor.cli.app import app; from monitor.cli.findings import findings; "
    mounted = "app.registered_groups or app.add_typer(findings); cli.main()"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program + mounted, "findings", "list", "--url", "http://127.0.0.1:1",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(30):
        out, err = await process.communicate()
    assert (process.returncode, out) == (2, b"")
    assert err.startswith(b"monitor: http://127.0.0.1:1: no daemon answers there; start one by `monitor run`")
    assert err.count(b"\n") == 1


async def test_a_beginning_that_fits_several_names_them() -> None:
    """And changes none."""
    many = Pile(alerts_=[alert(finding(f"public.t{place}")) for place in range(40)])
    async with serving(many, desk()) as web, Client(Door(url=web.url)) as client:
        first = many.alerts_[0].finding.fingerprint[0]
        with pytest.raises(UsageError, match=rf"^{first}: \d+ findings begin so: {first}"):
            await client.finding(first)
        with pytest.raises(UsageError, match="no such finding"):
            await client.finding("")
        for _ in range(11):
            await client.silence({"matchers": ["a=b"], "duration": 60, "comment": "c"})
        with pytest.raises(UsageError, match=r"^silence: 11 silences begin so: silence-1, silence-2"):
            await client.unsilence("silence")
        assert (await client.unsilence("silence-1"))["id"] == "silence-1"


async def test_a_long_list_is_fetched_page_by_page() -> None:
    """And whole."""
    many = Pile(alerts_=[alert(finding(f"public.t{place}")) for place in range(PAGE + 7)])
    async with serving(many, desk()) as web, Client(Door(url=web.url)) as client:
        assert len(await client.findings()) == PAGE + 7
        assert await client.findings(target="none") == []


async def test_credentials_open_the_door_and_are_never_said() -> None:
    """A token, or a name and a password, from the environment; without, it is told where to put them."""
    controls, known = desk(), Credentials({"bob": Secret(CANARY)}, (Secret(f"{CANARY}-token"),))
    async with serving(pile(), controls, credentials=known) as web:
        ack = ("ack", FINGERPRINT, "--comment", "c", "--url", web.url)
        out = await run(*ack)
        wrong = await run(*ack, PGARCHITECT_TOKEN=f"{CANARY}-wrong")
        by_token = await run(*ack, PGARCHITECT_TOKEN=f"{CANARY}-token")
        by_name = await run(*ack, "--user", "bob", "--author", "bob", PGARCHITECT_PASSWORD=CANARY)
    assert [out.status, wrong.status, by_token.status, by_name.status] == [2, 2, 0, 0]
    assert "PGARCHITECT_TOKEN" in out.err
    assert not [each for each in (out, wrong, by_token, by_name) if CANARY in each.out + each.err]
    assert [entry[2] for entry in controls.audit] == ["ann (token 1)", "bob"]


async def test_a_daemon_behind_tls_is_trusted_by_its_authority_alone(tmp_path: Path) -> None:
    """By --ca-file under its name, or as the very certificate its configuration names; else it is told how."""
    tls, other = certificate(tmp_path), certificate(tmp_path, "other")
    async with serving(pile(), desk(), tls=tls) as web:
        url = f"https://localhost:{web.port}"
        assert (await run("list", "--url", url, "--ca-file", str(tls.cert_file))).status == 0
        for arguments in ((), ("--ca-file", str(other.cert_file))):
            said = await run("list", "--url", url, *arguments)
            assert (said.status, "its certificate is not trusted" in said.err) == (2, True)
        no_file = await run("list", "--url", url, "--ca-file", str(tls.key_file))
        plain = await run("list", "--url", f"http://localhost:{web.port}")
    assert "cannot be read as a certificate" in no_file.err
    assert "does it want TLS" in plain.err


CONFIG = """
targets: [{{name: shop, dsn: "postgresql://monitor@localhost/shop"}}]
web:
  listen: "127.0.0.1:{port}"
  tls: {{cert_file: tls/server.pem, key_file: tls/server.key}}
  basic_auth: {{hashed: "{hash}", bob: !env WORD}}
"""


async def test_the_configuration_says_where_the_daemon_is_and_who_may_in(tmp_path: Path) -> None:
    """The address on the same machine, the very certificate, and the first password that is no hash."""
    controls, tls = desk(), certificate(tmp_path / "tls")
    file = tmp_path / "monitor.yaml"
    async with serving(pile(), controls, tls=tls, credentials=Credentials({"bob": Secret(CANARY)})) as web:
        file.write_text(CONFIG.format(port=web.port, hash=HASH))
        acked = await run("ack", FINGERPRINT, "--comment", "c", "--config", str(file), WORD=CANARY)
        certificate(tmp_path / "tls")
        swapped = await run("list", "--config", str(file), WORD=CANARY)
    assert (acked.status, controls.audit) == (0, [("ack", FINGERPRINT, "ann (bob)", "c")])
    assert "its certificate is not trusted" in swapped.err


async def test_a_client_certificate_is_shown_where_the_daemon_wants_one(tmp_path: Path) -> None:
    """Key and certificate in one file; one that is locked is told, not asked for on the terminal."""
    own = certificate(tmp_path, "own", "client")
    tls = replace(certificate(tmp_path), client_ca_file=own.cert_file)
    both = tmp_path / "both.pem"
    both.write_text(own.key_file.read_text() + own.cert_file.read_text())
    async with serving(pile(), desk(), tls=tls) as web:
        at = ("--url", f"https://localhost:{web.port}", "--ca-file", str(tls.cert_file))
        assert "public.rooms" in (await run("list", *at, "--cert", str(both))).out
        assert (await run("list", *at)).status == 2
        lock_up(own.key_file)
        both.write_text(own.key_file.read_text() + own.cert_file.read_text())
        assert "the key is encrypted" in (await run("list", *at, "--cert", str(both))).err


@pytest.mark.parametrize(
    ("listen", "url"),
    [
        ("127.0.0.1:9779", "http://127.0.0.1:9779"),
        ("0.0.0.0:80", "http://127.0.0.1:80"),
        (":9779", "http://127.0.0.1:9779"),
        ("[::]:9779", "http://[::1]:9779"),
        ("10.0.0.7:9779", "http://10.0.0.7:9779"),
    ],
)
def test_an_address_to_listen_on_becomes_one_to_ask(listen: str, url: str) -> None:
    """What listens everywhere answers on loopback."""
    assert listening(WebYaml(listen=listen), Path()).url == url


def test_a_port_the_system_chose_cannot_be_guessed() -> None:
    """The words say what to do."""
    with pytest.raises(UsageError, match="name the daemon by --url"):
        listening(WebYaml(listen="127.0.0.1:0"), Path())


@pytest.mark.parametrize(
    ("way", "environ", "begins"),
    [
        (Way(), {}, ""),
        (Way(), {"PGARCHITECT_TOKEN": "t"}, "Bearer t"),
        (Way(user="ann"), {"PGARCHITECT_TOKEN": "t", "PGARCHITECT_PASSWORD": "p"}, "Basic YW5uOnA="),
    ],
)
def test_who_signs_in_is_said_by_options_then_by_the_environment(
    way: Way, environ: Mapping[str, str], begins: str
) -> None:
    """Never by a secret on the command line."""
    assert door(way, environ).authorization == begins


def test_a_hashed_password_cannot_be_sent() -> None:
    """Only one that stands there itself is."""
    known = Listening(basic_auth={"ann": Secret(HASH), "bob": Secret("p")})
    assert list(known.users) == ["bob"]


@asynccontextmanager
async def stranger(status: int, body: bytes, kind: str = "application/json") -> AsyncIterator[str]:
    """Something else that answers on a port."""

    @aioweb.middleware
    async def answer(request: aioweb.Request, handler: Handler) -> aioweb.StreamResponse:
        headers = {"Location": "http://127.0.0.1:1/", "Content-Type": kind}
        return aioweb.Response(status=status, body=body, headers=headers)

    runner = aioweb.AppRunner(aioweb.Application(middlewares=[answer]), access_log=None)
    await runner.setup()
    await aioweb.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"<html>"),
        (200, b"[]"),
        (200, b"[" * 100_000),
        (200, b"{}"),
        (200, b'{"findings": [1], "total": 1}'),
        (200, b'{"findings": [], "total": "x"}'),
        (302, b""),
        (404, b"not here"),
        (500, b'{"error": "x"}'),
    ],
)
async def test_what_is_no_daemon_of_ours_is_told_so(status: int, body: bytes) -> None:
    """It gets no second question, and a redirection is not followed."""
    async with stranger(status, body) as url, Client(Door(url=url, token=Secret(CANARY))) as client:
        with pytest.raises(MonitorError, match=rf"^{re.escape(url)}: ") as caught:
            await client.findings()
    assert CANARY not in str(caught.value)


def documents() -> dict[str, object]:
    """Give a finding as the daemon sends it, with all that may stand there."""
    found: dict[str, object] = json.loads(api.finding(glance(), alert(), Past(steps=())))
    return found


def test_a_hostile_name_stays_text() -> None:
    """In the table and in full; what a terminal would obey is written out."""
    evil = "\x1b[2J\u202e[red]x[/red]\nforged line"
    sick = replace(finding(evil), summary=evil, impact=evil, remedy=Remedy(sql=(evil,)))
    document = {
        **json.loads(api.finding(glance(), alert(sick), Past(steps=()))),
        "acked": {"author": evil, "comment": evil, "at": evil},
        "history": [{"at": evil, "state": evil, "severity": evil, "why": evil}],
        "silenced_by": evil,
        "inhibited_by": evil,
        "history_reason": evil,
    }
    silence = {"id": "1", "matchers": [evil], "author": evil, "comment": evil, "starts_at": evil, "ends_at": None}
    for text in (
        table_of_findings([document], SHEET),
        one_finding(document, SHEET),
        table_of_silences([silence], SHEET),
    ):
        assert not {"\x1b", "\u202e"} & set(text)
        assert "[red]" in text
        assert "\nforged" not in text


def test_the_life_of_a_finding_is_told_as_far_as_it_is_known() -> None:
    """Acks, history and end, where the daemon sends them."""
    later = (NOW - timedelta(minutes=10)).isoformat()
    text = one_finding(
        {
            **documents(),
            "acked": {"author": "ann", "comment": "known", "at": later},
            "history": [{"at": later, "state": "firing", "severity": "warning", "why": "first seen"}, 7],
            "ended_by": "the index is there",
            "ends_at": NOW.isoformat(),
        },
        SHEET,
    )
    assert re.search(r"acked +2026-11-22 14:50:00 UTC \(10 min ago\) by ann: known\n", text)
    assert re.search(r"history +2026-11-22 14:50:00 UTC \(10 min ago\): firing warning first seen\n", text)
    assert re.search(r"ended +2026-11-22 15:00:00 UTC .* the index is there\n", text)


def test_the_table_says_who_is_quiet() -> None:
    """A firing finding that was acked or silenced is no news."""
    assert state({"status": "firing"}) == "firing"
    assert state({"status": "firing", "acked": {"author": "ann"}}) == "acked"
    assert state({"status": "firing", "silenced_by": "1"}) == "silenced"
    assert state({"status": "firing", "inhibited_by": "1"}) == "inhibited"
    assert state({"status": "resolved", "acked": {"author": "ann"}}) == "resolved"


def test_a_strange_answer_is_no_finding() -> None:
    """Said so, not a traceback."""
    with pytest.raises(MonitorError, match="is it of another version"):
        one_finding({"fingerprint": "x"}, SHEET)


def test_help_names_every_command() -> None:
    """Also where one gets a secret in."""
    said = CliRunner().invoke(commands, ["--help"]).output
    for word in ("list", "show", "ack", "unack", "silence", "unsilence", "silences", "PGARCHITECT_TOKEN"):
        assert word in said
