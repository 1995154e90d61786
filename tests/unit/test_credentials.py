"""Who may ask: nobody gets in by a wrong word, nothing tells what a right one is; certificates are checked first."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from base64 import b64encode
from dataclasses import dataclass, field, replace
from pathlib import Path

import aiohttp
import pytest

from monitor.errors import MonitorError
from monitor.expose.credentials import Credentials, mistakes
from monitor.expose.tls import Tls
from monitor.model import Secret
from tests.unit.controls import certificate, lock_up, serving
from tests.unit.shelf import Pile

CANARY = "c4n4ry"
HASH = "$2b$12$" + "a" * 53


def basic(user: str, password: str) -> str:
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


def some() -> Credentials:
    return Credentials(
        {"ann": Secret("wörd:with colon"), "bob": Secret("b")}, (Secret("first-token"), Secret("second-token"))
    )


@pytest.mark.parametrize(
    ("header", "name"),
    [
        (basic("ann", "wörd:with colon"), "ann"),
        (basic("bob", "b"), "bob"),
        ("Bearer first-token", "token 1"),
        ("bearer   second-token", "token 2"),
        (basic("ann", "b"), None),
        (basic("ann", ""), None),
        (basic("carl", "b"), None),
        (basic("", ""), None),
        ("Bearer b", None),
        ("Bearer ", None),
        ("Bearer first-token second-token", None),
        ("first-token", None),
        ("Basic first-token", None),
        ("Basic ====", None),
        ("Basic w7w6cDrDpA", None),
        ("Basic " + b64encode(b"ann:\xff").decode(), None),
        ("Basic bör", None),
        ("Digest x", None),
        ("Bearer \ud800", None),
        ("", None),
    ],
)
async def test_a_name_is_given_only_for_the_right_word(header: str, name: str | None) -> None:
    """Whatever else is sent is nobody."""
    assert await some().who(header) == name


async def test_without_anybody_named_nobody_signs_in() -> None:
    """And that is told, for the door to decide."""
    nobody = Credentials()
    assert not nobody.configured
    assert await nobody.who(basic("", "")) is None
    assert await nobody.who("Bearer ") is None


def test_the_challenge_is_what_browsers_can_answer() -> None:
    """They know names and passwords; with tokens alone, programs are asked."""
    assert some().challenge.startswith("Basic ")
    assert Credentials(tokens=(Secret("t"),)).challenge.startswith("Bearer ")


@dataclass
class Slow:
    """Checks as bcrypt does, by another hash; counts, and notes whether it held the loop up."""

    password: bytes
    calls: int = 0
    in_loop: list[bool] = field(default_factory=list)

    def __call__(self, password: bytes, expected: bytes) -> bool:
        self.calls += 1
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            self.in_loop.append(False)
        else:
            self.in_loop.append(True)
        if len(password) > 72:
            raise ValueError("longer than 72 bytes")
        return hashlib.sha256(password).digest() == hashlib.sha256(self.password).digest()


async def test_a_hash_is_checked_beside_the_loop_and_once_a_right_password() -> None:
    """A page of ten requests makes one hash; wrong ones are made each time."""
    check = Slow(b"right")
    credentials = Credentials({"ann": Secret(HASH)}, check=check)
    assert [await credentials.who(basic("ann", "right")) for _ in range(10)] == ["ann"] * 10
    assert check.calls == 1
    assert [await credentials.who(basic("ann", "wrong")) for _ in range(2)] == [None, None]
    assert await credentials.who(basic("ann", "r" * 73)) is None
    assert (check.calls, set(check.in_loop)) == (4, {False})


async def test_an_unknown_name_costs_what_a_wrong_password_does() -> None:
    """So that time does not tell names; and the right password of another does not let it in."""
    check = Slow(b"right")
    credentials = Credentials({"ann": Secret(HASH)}, check=check)
    assert await credentials.who(basic("carl", "right")) is None
    assert check.calls == 1


async def test_a_hash_of_bcrypt_itself_is_read() -> None:
    """One made by another program, of the word `secret`; what the package refuses is a wrong word."""
    made = Secret("$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW")
    credentials = Credentials({"ann": made})
    assert await credentials.who(basic("ann", "secret")) == "ann"
    assert [await credentials.who(basic("ann", word)) for word in ("no", "", "s" * 100)] == [None] * 3


def test_a_word_that_cannot_work_is_told_by_its_key_and_never_shown() -> None:
    """All at once."""
    found = dict(
        mistakes({"": Secret(CANARY), "a:b": Secret(CANARY), "ann": Secret(""), "bob": Secret(HASH)}, (), hashes=False)
    )
    assert found.keys() == {"basic_auth", "basic_auth.ann", "basic_auth.bob"}
    assert "pip install bcrypt" in found["basic_auth.bob"]
    with pytest.raises(MonitorError) as caught:
        Credentials({"ann": Secret("")}, (Secret("fine"), Secret(f"{CANARY} blank"), Secret("")))
    assert [line.partition(": ")[0] for line in str(caught.value).splitlines()] == [
        "web.basic_auth.ann", "web.tokens[1]", "web.tokens[2]",
    ]  # fmt: skip
    assert CANARY not in str(caught.value)


async def get(url: str, tls: ssl.SSLContext) -> int:
    async with aiohttp.ClientSession() as session, session.get(url, ssl=tls) as response:
        return response.status


def trusting(tls: Tls, own: Tls | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(tls.cert_file))
    context.check_hostname = False
    if own is not None:
        context.load_cert_chain(own.cert_file, own.key_file)
    return context


async def test_the_door_speaks_tls_and_nothing_older_than_1_2(tmp_path: Path) -> None:
    """Its address says so; plain HTTP on it gets nothing."""
    tls = certificate(tmp_path)
    async with serving(Pile(), None, tls=tls) as web:
        assert web.url.startswith("https://127.0.0.1:")
        assert await get(f"{web.url}healthz", trusting(tls)) == 200
        with pytest.raises(aiohttp.ClientError):
            await get(f"http://127.0.0.1:{web.port}/healthz", trusting(tls))
    assert tls.context().minimum_version is ssl.TLSVersion.TLSv1_2


async def test_clients_must_show_a_certificate_where_an_authority_is_named(tmp_path: Path) -> None:
    """One that it signed; with VerifyClientCertIfGiven also none will do."""
    known, stranger = certificate(tmp_path, "known", "client"), certificate(tmp_path, "stranger", "client")
    tls = replace(certificate(tmp_path), client_ca_file=known.cert_file)
    async with serving(Pile(), None, tls=tls) as web:
        assert await get(f"{web.url}healthz", trusting(tls, known)) == 200
        for context in (trusting(tls), trusting(tls, stranger)):
            with pytest.raises((aiohttp.ClientError, ssl.SSLError)):
                await get(f"{web.url}healthz", context)
    async with serving(Pile(), None, tls=replace(tls, client_auth_type="VerifyClientCertIfGiven")) as web:
        assert await get(f"{web.url}healthz", trusting(tls)) == 200


async def test_a_new_certificate_is_shown_without_a_restart_and_a_bad_one_is_not(tmp_path: Path) -> None:
    """Who renews it by a timer need not stop the watch."""
    tls = certificate(tmp_path)
    old = trusting(tls)
    async with serving(Pile(), None, tls=tls) as web:
        certificate(tmp_path)
        web.renew()
        assert await get(f"{web.url}healthz", trusting(tls)) == 200
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await get(f"{web.url}healthz", old)
        new = trusting(tls)
        tls.cert_file.write_text("nothing")
        with pytest.raises(MonitorError, match="holds no certificate"):
            web.renew()
        assert await get(f"{web.url}healthz", new) == 200


def test_files_that_do_not_fit_are_told_by_their_key(tmp_path: Path) -> None:
    """Each before the port is opened, and none asks for a passphrase on the terminal."""
    good, other = certificate(tmp_path), certificate(tmp_path, "other")
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    locked = certificate(tmp_path, "locked")
    lock_up(locked.key_file)
    wrong = {
        "cert_file: .*no.pem: cannot be read .No such file": replace(good, cert_file=tmp_path / "no.pem"),
        "cert_file: .*empty.pem: holds no certificate": replace(good, cert_file=empty),
        "key_file: .*cannot be read .Is a directory": replace(good, key_file=tmp_path),
        "key_file: .*other.key: does not fit": replace(good, key_file=other.key_file),
        "key_file: .*empty.pem: holds no private key": replace(good, key_file=empty),
        "key_file: the key is encrypted": locked,
        "client_ca_file: .*empty.pem: holds no certificate": replace(good, client_ca_file=empty),
        "client_ca_file: RequireAndVerifyClientCert needs": replace(
            good, client_auth_type="RequireAndVerifyClientCert"
        ),
        "client_auth_type: should be one of NoClientCert": replace(good, client_auth_type="RequireAnyClientCert"),
    }
    for message, tls in wrong.items():
        with pytest.raises(MonitorError, match=rf"^web\.tls\.{message}"):
            tls.context()
