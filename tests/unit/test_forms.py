"""The forms of a finding's page: each changes one thing and leads back; what is not ours changes nothing."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from urllib.parse import urlencode

import aiohttp
import pytest

from monitor.expose.credentials import Credentials
from monitor.expose.forms import quoted
from monitor.expose.server import Web
from monitor.findings.matchers import parse_matcher
from monitor.model import Secret, Target
from tests.unit.controls import Ledger, serving
from tests.unit.shelf import Pile, alert, finding, server

ONE = finding()
PAGE = f"/findings/{ONE.fingerprint}"
SILENCE = {"comment": "upgrade", "scope": "finding", "duration": "1h"}


def pile() -> Pile:
    return Pile(targets_=[server()], alerts_=[alert(ONE)])


def ledger() -> Ledger:
    return Ledger(fingerprints={ONE.fingerprint})


class Reader:
    """A browser, as far as headers go: reads a finding's page and sends its forms back."""

    def __init__(self, web: Web, **headers: str) -> None:
        self.url, self.headers = web.url.rstrip("/"), headers

    async def token(self) -> str:
        async with aiohttp.ClientSession(headers=self.headers) as session, session.get(self.url + PAGE) as answer:
            found = re.search(r'name="token" value="([^"]+)"', await answer.text())
            return found[1] if found else ""

    async def send(self, deed: str, fields: Mapping[str, str], **headers: str) -> tuple[int, str]:
        """Give the status, and where it leads or what it says."""
        sent = {"Content-Type": "application/x-www-form-urlencoded", **self.headers, **headers}
        async with (
            aiohttp.ClientSession(headers=sent) as session,
            session.post(f"{self.url}{PAGE}/{deed}", data=urlencode(fields), allow_redirects=False) as answer,
        ):
            return answer.status, answer.headers.get("Location", "") or await answer.text()


async def test_each_form_does_its_deed_and_leads_back_with_a_notice() -> None:
    """Ack, take it back, silence, end the silence; who did it is written down."""
    desk = ledger()
    async with serving(pile(), desk) as web:
        reader = Reader(web)
        token = {"token": await reader.token()}
        assert await reader.send("ack", {**token, "comment": "on it"}) == (303, f"{PAGE}?done=ack")
        assert desk.acks == {ONE.fingerprint: "on it"}
        assert await reader.send("unack", token) == (303, f"{PAGE}?done=unack")
        assert await reader.send("silence", {**token, **SILENCE}) == (303, f"{PAGE}?done=silence")
        (silence,) = desk.silenced.values()
        assert silence["matchers"] == [f'fingerprint="{ONE.fingerprint}"']
        assert (silence["starts_at"], silence["ends_at"]) == ("2026-11-22T15:00:00+00:00", "2026-11-22T16:00:00+00:00")
        assert await reader.send("unsilence", {**token, "id": str(silence["id"])}) == (303, f"{PAGE}?done=unsilence")
    assert {line[-1] if line[0] != "ack" else line[2] for line in desk.audit} == {"loopback"}


@pytest.mark.parametrize(
    ("scope", "matchers"),
    [("rule", ['rule="index.missing_foreign_key"', 'target="shop"']), ("target", ['target="shop"'])],
)
async def test_a_silence_can_be_wider_than_its_finding(scope: str, matchers: list[str]) -> None:
    """For its rule on this target, or for all of the target."""
    desk = ledger()
    async with serving(pile(), desk) as web:
        reader = Reader(web)
        await reader.send("silence", {**SILENCE, "scope": scope, "token": await reader.token()})
    assert [each["matchers"] for each in desk.silenced.values()] == [matchers]


@pytest.mark.parametrize(
    ("changed", "headers"),
    [
        ({"token": ""}, {}),
        ({"token": "x" * 43}, {}),
        ({"token": "\ud800"}, {}),
        ({}, {"Origin": "https://evil.example"}),
        ({}, {"Origin": "null"}),
        ({}, {"Sec-Fetch-Site": "cross-site"}),
        ({}, {"Sec-Fetch-Site": "same-site"}),
        ({}, {"X-Forwarded-For": "10.0.0.9"}),
        ({}, {"Host": "evil.example"}),
    ],
)
async def test_another_sites_form_changes_nothing(changed: Mapping[str, str], headers: Mapping[str, str]) -> None:
    """Without the token, or from elsewhere, or under a foreign name."""
    desk = ledger()
    async with serving(pile(), desk) as web:
        reader = Reader(web)
        fields = {"comment": "x", "token": await reader.token(), **changed}
        sent = {key: value.encode("utf-8", "replace").decode() for key, value in fields.items()}
        assert (await reader.send("ack", sent, **headers))[0] == 403
    assert desk.audit == []


async def test_who_has_signed_in_needs_the_token_too() -> None:
    """Browsers sign in by themselves, for another site's form as well; the name goes into the audit log."""
    desk = ledger()
    known = Credentials({"ann": Secret("c4n4ry")})
    signed = {"Authorization": f"Basic {b64encode(b'ann:c4n4ry').decode()}"}
    async with serving(pile(), desk, credentials=known) as web:
        reader = Reader(web, **signed)
        token = await reader.token()
        assert (await reader.send("ack", {"comment": "x"}))[0] == 403
        assert (await Reader(web).send("ack", {"comment": "x", "token": token}))[0] == 401
        assert desk.audit == []
        assert (await reader.send("ack", {"comment": "x", "token": token}))[0] == 303
    assert desk.audit == [("ack", ONE.fingerprint, "ann", "x")]


@pytest.mark.parametrize("through", ["X-Forwarded-For", "Via"])
async def test_who_may_change_nothing_is_given_no_token(through: str) -> None:
    """From another machine, without credentials."""
    async with serving(pile(), ledger()) as web:
        assert await Reader(web, **{through: "10.0.0.9"}).token() == ""
    async with serving(pile(), None) as web:
        assert await Reader(web).token() == ""
        assert (await Reader(web).send("ack", {"comment": "x"}))[0] == 404


@pytest.mark.parametrize(
    ("deed", "changed", "status", "said"),
    [
        ("ack", {"comment": " "}, 400, "comment: is empty"),
        ("ack", {"comment": "x" * 1001}, 400, "1000 characters are the most"),
        ("ack", {"comment": "a\x00b"}, 400, "cannot be shown"),
        ("ack", {"strange": "1"}, 400, "no such key"),
        ("silence", {"duration": "9y"}, 400, "duration: should be one of 1h"),
        ("silence", {"scope": "world"}, 400, "scope: should be one of finding"),
        ("unack", {}, 404, "nothing of the kind"),
        ("unsilence", {"id": "none"}, 404, "nothing of the kind"),
        ("ack", {"comment": "x" * 70_000}, 413, "longer than"),
    ],
)
async def test_what_cannot_be_done_is_said_on_a_page(
    deed: str, changed: Mapping[str, str], status: int, said: str
) -> None:
    """With how to mend it, and nothing changed."""
    desk = ledger()
    fields = {"ack": {"comment": "x"}, "silence": SILENCE}.get(deed, {})
    async with serving(pile(), desk) as web:
        reader = Reader(web)
        answer = await reader.send(deed, {**fields, "token": await reader.token(), **changed})
    assert answer[0] == status
    assert said in answer[1]
    assert "<h1>Not done</h1>" in answer[1]
    assert not desk.acks
    assert not desk.silenced


async def test_a_body_that_is_no_form_is_refused() -> None:
    """JSON, and what is not even text."""
    async with serving(pile(), ledger()) as web:
        reader = Reader(web)
        assert (await reader.send("ack", {}, **{"Content-Type": "application/json"}))[0] == 415
        assert (await reader.send("ack", {str(each): "x" for each in range(30)}))[0] == 400


async def test_a_notice_is_one_of_ours_and_never_what_the_address_says() -> None:
    """Nobody writes on our page by a link, nor into our headers by a form."""
    async with serving(pile(), ledger()) as web, aiohttp.ClientSession() as session:
        async with session.get(f"{web.url}{PAGE[1:]}?done=%3Cb%3Eowned") as answer:
            assert "owned" not in await answer.text()
        reader = Reader(web)
        status, place = await reader.send("ack", {"token": await reader.token(), "comment": "a\r\nSet-Cookie: b=c"})
    assert (status, place) in {(400, place), (303, f"{PAGE}?done=ack")}
    assert "\n" not in place or status == 400


@pytest.mark.parametrize("name", ["shop", 'a"b', "a\\b", "a\nb", "a\\", "ø🚂", 'x",y="z'])
def test_a_matcher_means_the_very_name(name: str) -> None:
    """However it is written: no name silences another target."""
    assert parse_matcher(f"target={quoted(name)}").value == name
    assert Target(name).server == name
