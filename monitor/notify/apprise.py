"""Tells any chat Apprise knows (Teams, Discord, Telegram, Mattermost, mail …), each URL by itself and in its own words.

Apprise says only whether a service took a message; what it logs beside holds the status, and URLs: it stays in here.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import threading
import warnings
from dataclasses import dataclass, field
from typing import Any

from monitor.errors import DeliveryError
from monitor.model import Secret
from monitor.notice import Notice
from monitor.notify.chat import HTML, MARKDOWN, PLAIN, Room, cut, kind, trimmed
from monitor.notify.chat_letter import body, heading
from monitor.notify.post import RETRYABLE
from monitor.notify.template import BadTemplate, Template, failed

DEADLINE_SECONDS = 20.0
INSTALL = "apprise is not installed; install the extra `chat`: pip install 'pgarchitect[chat]'"
TALKERS = ("apprise", "urllib3", "requests", "requests_oauthlib", "oauthlib", "slixmpp")
"""Loggers that write URLs, which are secrets."""
BODY_CHARACTERS = 20_000
"""Of a chat that takes more."""
SMALL_CHARACTERS = 320
"""A chat that takes less than this gets no title, for the text says the same."""
MARGIN = 16
"""Beyond title and body: what a service puts between them."""
HEARD = 1000
STATUS = re.compile(r"\berror=(\d{3})\b")
"""How Apprise's services tell in their log what they were answered."""
DIALECTS = {"text": PLAIN, "markdown": MARKDOWN, "html": HTML}
WELL = range(200, 300)
BUSY = 500
REDIRECT = range(300, 400)
REMEDIES = {
    400: "the message is not understood",
    401: "it wants other credentials; mend the URL",
    403: "it may not write there; mend the URL's credentials",
    404: "there is no such chat; mend the URL",
    410: "the chat is gone; mend the URL",
    413: "the message is too large for it",
}


def check_url(text: str) -> None:
    """Raise ValueError for a URL that Apprise cannot read; what it says does not hold the URL.

    Where Apprise is not installed only the form is looked at. The first call takes some 20 MB of memory.
    """
    scheme = re.match(r"([a-zA-Z][a-zA-Z0-9+.-]*)://", text)
    if scheme is None:
        raise ValueError("that is no URL of Apprise's; it begins with the service, as in discord://")
    library = _library()
    if library is None or _service(library, text) is not None:
        return
    if scheme[1].lower() not in library.NotificationManager():
        raise ValueError("Apprise knows no such service; the word before :// names it, as in discord://")
    raise ValueError(
        f"Apprise cannot read this {scheme[1].lower()}:// URL; compare it with Apprise's page on the service"
    )


@dataclass(frozen=True, kw_only=True)
class Apprise:
    """A receiver that tells every URL. It never retries itself and never shows a URL.

    While some URLs are retried, those that have taken the message are not told again.
    """

    name: str
    urls: tuple[Secret, ...] = field(repr=False)
    external_url: str | None = None
    template: Template | None = None
    deadline: float = DEADLINE_SECONDS
    _chats: list[_Chat] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Read the URLs; raises ValueError for one that Apprise cannot read."""
        library = _library()
        for url in self.urls:
            check_url(url.reveal())
            if library is not None:
                self._chats.append(_Chat(library, url))

    async def send(self, notice: Notice) -> None:
        """Tell every URL that has not taken this notice, or raise DeliveryError."""
        if notice.empty:
            return
        if not self._chats:
            raise DeliveryError(f"{self.name}: {INSTALL}", retryable=False)
        untold = [chat for chat in self._chats if notice.key not in chat.heard]
        letters = await asyncio.to_thread(self._write, notice, untold)
        told = await asyncio.gather(
            *(chat.tell(letter, notice.key, self.deadline) for chat, letter in zip(untold, letters, strict=True))
        )
        self._settle(notice.key, [trouble for trouble in told if trouble is not None])

    def _write(self, notice: Notice, chats: list[_Chat]) -> list[_Letter]:
        """Write to each chat in its own words. The template is heard once: it may take a second."""
        own, problem = None, ""
        if self.template is not None and self.template.serves(notice):
            try:
                own = self.template.write(notice, self.external_url)
            except BadTemplate as fault:
                problem = failed(fault)
        return [chat.letter(notice, self.external_url, own, problem) for chat in chats]

    def _settle(self, key: str, troubles: list[_Trouble]) -> None:
        if any(trouble.retryable for trouble in troubles):
            troubles = [trouble for trouble in troubles if trouble.retryable]
        else:
            for chat in self._chats:
                chat.heard.pop(key, None)
        if troubles:
            which = "" if len(self._chats) == 1 else f"{len(troubles)} of {len(self._chats)} URLs: "
            raise DeliveryError(f"{self.name}: {which}{troubles[0].text}", retryable=troubles[0].retryable)


@dataclass(frozen=True)
class _Letter:
    title: str
    text: str
    kind: str


@dataclass(frozen=True)
class _Trouble:
    text: str
    retryable: bool


class _Chat:
    """One URL: what its service takes, and which messages it took that others have not."""

    def __init__(self, library: Any, url: Secret) -> None:
        self.heard: dict[str, None] = {}
        self._service = _service(library, url.reveal())
        self._apprise = library.Apprise()
        self._apprise.add(self._service)
        self._format = self._service.resolve_format("markdown")
        self._dialect = DIALECTS[self._format.value]
        self._alone = threading.Lock()

    def letter(self, notice: Notice, external_url: str | None, own: str | None, problem: str) -> _Letter:
        """Write within what the service takes: Apprise itself would leave it to the service to refuse more."""
        most, longest_title = int(self._service.body_maxlen), int(self._service.title_maxlen)
        title = "" if most < SMALL_CHARACTERS else heading(notice)
        if longest_title > 0:
            title = cut(title, longest_title)
        elif self._dialect is HTML:
            title = HTML.text(title)
        warning = f"{self._dialect.text(problem)}{self._dialect.gap}" if problem else ""
        spent = len(warning) + (2 * len(title) + MARGIN if title else 0)
        lines = max(int(self._service.body_max_line_count), 0)
        room = Room(characters=min(most, BODY_CHARACTERS) - spent, lines=lines, size=self._size)
        if own is None:
            text = warning + body(notice, external_url, self._dialect, room, headed=bool(title))
        else:
            text = trimmed(own, self._dialect, room)
        return _Letter(title=title, text=text, kind=kind(notice))

    async def tell(self, letter: _Letter, key: str, deadline: float) -> _Trouble | None:
        """Send in a thread of its own: one that hangs may not keep us from ending, nor take a thread from others."""
        if not self._alone.acquire(blocking=False):
            return _Trouble(f"{self._name}: still busy with the message before", retryable=True)
        done: asyncio.Future[_Trouble | None] = asyncio.get_running_loop().create_future()
        threading.Thread(target=self._work, args=(letter, key, done), daemon=True).start()
        try:
            async with asyncio.timeout(deadline):
                return await done
        except TimeoutError:
            return _Trouble(f"{self._name}: no answer (timeout)", retryable=True)

    @property
    def _name(self) -> str:
        return str(self._service.service_name)

    def _size(self, text: str) -> int:
        """Count as most services do, in what UTF-16 counts, and in the service's own Markdown."""
        return len(str(self._service.dialect_convert(text, self._format)).encode("utf-16-le", "replace")) // 2

    def _work(self, letter: _Letter, key: str, done: asyncio.Future[_Trouble | None]) -> None:
        trouble: _Trouble | None = _Trouble(f"{self._name}: Apprise broke", retryable=False)
        try:
            trouble = self._notify(letter)
            if trouble is None:  # noted here, because it may come after the deadline
                self.heard[key] = None
                for oldest in list(self.heard)[:-HEARD]:
                    del self.heard[oldest]
        finally:
            self._alone.release()
            with contextlib.suppress(RuntimeError):  # the loop ended meanwhile
                done.get_loop().call_soon_threadsafe(_finish, done, trouble)

    def _notify(self, letter: _Letter) -> _Trouble | None:
        with self._apprise.notify(
            body=letter.text, title=letter.title, notify_type=letter.kind, body_format=self._format
        ) as result:
            if result:
                return None
            said = [entry.message for entry in result.logs()]
        statuses = [int(told[1]) for text in said if (told := STATUS.search(text))]
        return _Trouble(f"{self._name}: {_reason(statuses)}", retryable=_retryable(statuses))


def _reason(statuses: list[int]) -> str:
    if not statuses:
        return "it did not take the message; is it reachable?"
    status = statuses[-1]
    if _retryable(statuses):
        return f"HTTP {status}; it will be tried again"
    if status in REDIRECT:
        return f"HTTP {status}: it redirects elsewhere; mend the URL"
    return f"HTTP {status}: {REMEDIES.get(status, 'refused')}"


def _retryable(statuses: list[int]) -> bool:
    """What Apprise gives no status of may pass; so may a refusal that came with a 2xx."""
    return not statuses or any(each in RETRYABLE or each >= BUSY or each in WELL for each in statuses)


def _finish(done: asyncio.Future[_Trouble | None], trouble: _Trouble | None) -> None:
    if not done.done():
        done.set_result(trouble)


def _library() -> Any:
    """Give Apprise, or None where it is not installed; what it logs is kept to ourselves."""
    for name in TALKERS:
        _hush(logging.getLogger(name))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # one of its services imports what Python 3.13 has not
        try:
            import apprise  # noqa: PLC0415 - it takes memory, and most who run us have other receivers
        except ModuleNotFoundError:
            return None
        library: Any = apprise
        library.NotificationManager().load_modules()
    return library


class _Status(logging.Filter):
    """Leaves of a log line the status it tells, before anybody reads it; Apprise's record of a failure does."""

    def filter(self, record: logging.LogRecord) -> bool:
        told = STATUS.search(record.getMessage())
        record.msg, record.args = (told[0] if told else "not taken"), None
        record.exc_info = record.exc_text = record.stack_info = None
        return True


def _hush(talker: logging.Logger) -> None:
    if not any(isinstance(each, _Status) for each in talker.filters):
        talker.addFilter(_Status())
        talker.addHandler(logging.NullHandler())
    talker.propagate = False
    talker.setLevel(logging.WARNING)


def _service(library: Any, url: str) -> Any:
    """Read a URL; None: Apprise cannot. No pictures from elsewhere, no redirects unless it asks for them, no files."""
    asset = library.AppriseAsset(
        app_id="pgarchitect",
        app_desc="pgarchitect",
        app_url="",
        image_url_mask="",
        image_url_logo="",
        http_redirects=False,
        storage_mode="memory",
        async_mode=False,  # in the thread that asks
        service_timeout=0,  # or else in one of a pool's, which would keep us from ending
        interpret_emojis=False,
    )
    return library.Apprise.instantiate(url, asset=asset)
