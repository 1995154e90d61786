"""Who may ask: users with passwords (plain or hashed by bcrypt) and tokens, as in Prometheus' web configuration."""

from __future__ import annotations

import asyncio
import importlib
import re
import secrets
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import blake2b, sha256
from hmac import compare_digest
from types import MappingProxyType
from typing import Final, TypeAlias

from monitor.errors import MonitorError
from monitor.model import Secret

Check: TypeAlias = Callable[[bytes, bytes], bool]
"""Tells whether a password fits a bcrypt hash; takes a good part of a second."""

_NOBODY: Final[Mapping[str, Secret]] = MappingProxyType({})
_HASH = re.compile(r"\$2[abxy]?\$[0-9]{2}\$[./A-Za-z0-9]{53}\Z")
_SENDABLE = re.compile(r"[\x21-\x7e]+\Z")
_UNREADABLE = (
    "a bcrypt hash cannot be read without the package bcrypt; install it (pip install bcrypt), "
    "or name the password itself by !env NAME or !file PATH"
)
_PROVED = 1000
"""Passwords that are remembered as right, so that their hash is not made anew at each request."""


class Credentials:
    """All who may ask; with nobody named, `configured` is false and whoever stands before the door decides."""

    def __init__(
        self, basic_auth: Mapping[str, Secret] = _NOBODY, tokens: Sequence[Secret] = (), *, check: Check | None = None
    ) -> None:
        """Take the configuration's `web.basic_auth` and `web.tokens`; raises MonitorError with what is wrong.

        `check` replaces the package bcrypt, which is looked for when there is a hash.
        """
        self._check = check or _check_for(basic_auth)
        problems = [f"web.{path}: {why}" for path, why in mistakes(basic_auth, tokens, hashes=self._check is not None)]
        if problems:
            raise MonitorError("\n".join(problems))
        self._passwords = {user: secret.reveal() for user, secret in basic_auth.items()}
        self._tokens = tuple(_digest(token.reveal()) for token in tokens)
        self._key = secrets.token_bytes(32)
        self._proved: set[bytes] = set()
        self._one_by_one = asyncio.Lock()

    @property
    def configured(self) -> bool:
        """Tell whether anybody is named."""
        return bool(self._passwords or self._tokens)

    @property
    def challenge(self) -> str:
        """Give what WWW-Authenticate says to who has not signed in."""
        return 'Basic realm="pgarchitect", charset="UTF-8"' if self._passwords else 'Bearer realm="pgarchitect"'

    async def who(self, authorization: str) -> str | None:
        """Give the name behind an Authorization header: the user's, or `token 1`; None: nobody we know."""
        scheme, _, proof = authorization.strip().partition(" ")
        match scheme.lower():
            case "bearer":
                return self._bearer(proof.strip())
            case "basic":
                return await self._basic(proof.strip())
            case _:
                return None

    def _bearer(self, given: str) -> str | None:
        digest = _digest(given)
        fitting = [place for place, token in enumerate(self._tokens, 1) if compare_digest(digest, token)]
        return f"token {fitting[0]}" if fitting else None

    async def _basic(self, proof: str) -> str | None:
        try:
            user, _, password = b64decode(proof, validate=True).decode().partition(":")
        except ValueError:
            return None
        if not self._passwords:
            return None
        # A name that nobody has costs the time of a wrong password.
        expected = self._passwords.get(user, next(iter(self._passwords.values())))
        fits = await self._fits(expected, password)
        return user if fits and user in self._passwords else None

    async def _fits(self, expected: str, password: str) -> bool:
        if self._check is None or not _HASH.match(expected):
            return compare_digest(_digest(password), _digest(expected))
        proof = blake2b(f"{expected}{password}".encode(), key=self._key).digest()
        if proof in self._proved:
            return True
        async with self._one_by_one:  # who guesses may not take more than one core
            fits = await asyncio.to_thread(_hashed, self._check, password, expected)
        if fits and len(self._proved) < _PROVED:
            self._proved.add(proof)
        return fits


def mistakes(
    basic_auth: Mapping[str, Secret], tokens: Sequence[Secret], *, hashes: bool | None = None
) -> Iterator[tuple[str, str]]:
    """Give each key below `web` that cannot be used, with why and how to mend it; never what it holds.

    `hashes`: whether bcrypt's hashes can be read; None looks for the package.
    """
    readable = _check_for(basic_auth) is not None if hashes is None else hashes
    for user, secret in basic_auth.items():
        if not user or ":" in user or not user.isprintable():
            yield "basic_auth", "a user's name is empty, or holds a colon or a control character; choose another"
        elif not secret.reveal():
            yield f"basic_auth.{user}", "the password is empty; name one by !env NAME or !file PATH"
        elif _HASH.match(secret.reveal()) and not readable:
            yield f"basic_auth.{user}", _UNREADABLE
    for place, token in enumerate(tokens):
        if not _SENDABLE.match(token.reveal()):
            yield f"tokens[{place}]", "a token is empty, or holds a blank or what is not ASCII; make another"


def _check_for(basic_auth: Mapping[str, Secret]) -> Check | None:
    """Give the package's check where there is a hash to read, and the package; else it takes memory for nothing."""
    if not any(_HASH.match(secret.reveal()) for secret in basic_auth.values()):
        return None
    try:
        check: Check = importlib.import_module("bcrypt").checkpw
    except ImportError:
        return None
    return check


def _hashed(check: Check, password: str, expected: str) -> bool:
    try:
        return check(password.encode(), expected.encode())
    except ValueError:  # longer than bcrypt reads, or a cost it does not know
        return False


def _digest(text: str) -> bytes:
    """Give texts one length, so that comparing them does not tell theirs."""
    return sha256(text.encode(errors="surrogatepass")).digest()
