"""Finds servers in the files that `discovery` names (Prometheus' file_sd): who is in them is watched.

A file with a mistake, or one that is gone for a moment, goes on saying what it said last. The password comes from the
configuration and goes into the DSN here; nothing in a file can change more of the DSN than host and port.
"""

from __future__ import annotations

import glob
import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from monitor.config.file_sd import NAME, Found, read_targets
from monitor.errors import ConfigError, ConfigErrors
from monitor.kinds import POSTGRES
from monitor.model import Secret, Server

PLACE = "{address}"
"""What stands for a target's address in the DSN of a `discovery` entry."""

MOST_BYTES = 16 * 1024 * 1024
"""A larger file is none of addresses."""


@dataclass(frozen=True, kw_only=True)
class Discovery:
    """One entry of `discovery`; `files` are absolute, and may be globs."""

    files: tuple[str, ...]
    dsn: Secret = field(repr=False)
    password: Secret | None = field(default=None, repr=False)
    labels: Mapping[str, str] = field(default_factory=dict)
    include: tuple[str, ...] = (".*",)
    exclude: tuple[str, ...] = ()
    through_pooler: str = "auto"
    kind: str = POSTGRES

    def server(self, found: Found) -> Server:
        """Give a found target as a server; the file's labels go before those of the entry."""
        return Server(
            name=found.name,
            dsn=dsn_of(self.dsn, self.password, found.address),
            labels={**self.labels, **found.labels},
            include=self.include,
            exclude=self.exclude,
            through_pooler=self.through_pooler,
            kind=self.kind,
        )


def dsn_of(template: Secret, password: Secret | None, address: str) -> Secret:
    """Put address and password into a DSN that is a URL."""
    url = template.reveal().replace(PLACE, address)
    if password is None:
        return Secret(url)
    parts = urlsplit(url)
    who, _, host = parts.netloc.rpartition("@")
    user = who.partition(":")[0]
    return Secret(urlunsplit(parts._replace(netloc=f"{user}:{quote(password.reveal(), safe='')}@{host}")))


@dataclass(frozen=True, kw_only=True)
class Look:
    """What one look at the files gave."""

    servers: tuple[Server, ...] = ()
    broken: tuple[ConfigError, ...] = ()
    """What is wrong inside of files; such a file goes on with what it said last."""
    clashes: tuple[ConfigError, ...] = ()
    """Targets that are left out, for their names are taken."""
    whole: bool = True
    """False: a file could not be read yet since we began, so that nobody can say who is no longer named."""


@dataclass(frozen=True, kw_only=True)
class _Read:
    """What is known of a file: its content's digest, what it said last (None: nothing yet), what is wrong now."""

    digest: bytes = b""
    found: tuple[Found, ...] | None = None
    wrong: tuple[ConfigError, ...] = ()
    missed: bool = False
    """It was not there at the last look; somebody may be replacing it."""


class Lookout:
    """Looks at the files again and again, and reads those that changed. It blocks: a thread should call it."""

    def __init__(self) -> None:
        self._read: dict[str, _Read] = {}
        self._matched: dict[str, list[str]] = {}
        self._last: tuple[object, Look] = (None, Look())

    def look(self, discoveries: Sequence[Discovery], taken: Collection[str]) -> Look:
        """Give the servers that the files name now; `taken` are the names of the configured targets."""
        files = [self._files(entry) for entry in discoveries]
        there = {file for each in files for file in each}
        self._read = {file: known for file in sorted(there) if (known := self._known(file)) is not None}
        asked = (tuple(discoveries), frozenset(taken), files, self._read)
        if asked != self._last[0]:
            self._last = asked, self._made(zip(discoveries, files, strict=True), taken)
        return self._last[1]

    def _made(self, entries: Iterable[tuple[Discovery, list[str]]], taken: Collection[str]) -> Look:
        clashes: list[ConfigError] = []
        return Look(
            servers=tuple(self._servers(entries, dict.fromkeys(taken, ""), clashes)),
            broken=tuple(error for known in self._read.values() for error in known.wrong),
            clashes=tuple(clashes),
            whole=all(known.found is not None for known in self._read.values()),
        )

    def _files(self, entry: Discovery) -> list[str]:
        """Give the files of an entry, each once; last those that were there until now."""
        gone: list[str] = []
        there: list[str] = []
        for pattern in entry.files:
            now = sorted(matches(pattern))
            left = [file for file in self._matched.get(pattern, ()) if file in self._read and file not in now]
            self._matched[pattern] = [*now, *left]
            there += now
            gone += left
        return list(dict.fromkeys([*there, *gone]))

    def _known(self, file: str) -> _Read | None:
        """Read a file if it is not as it was; None: it is gone."""
        before = self._read.get(file, _Read())
        try:
            content = _content(file)
        except FileNotFoundError:
            return None if before.missed or before.found is None else replace(before, missed=True)
        except ConfigErrors as errors:
            return replace(before, digest=b"", wrong=errors.errors)
        digest = hashlib.blake2b(content, digest_size=16).digest()
        if digest == before.digest:
            return replace(before, missed=False)
        try:
            return _Read(digest=digest, found=read_targets(file, content))
        except ConfigErrors as errors:
            return _Read(digest=digest, found=before.found, wrong=errors.errors)

    def _servers(
        self, entries: Iterable[tuple[Discovery, list[str]]], taken: dict[str, str], clashes: list[ConfigError]
    ) -> Iterator[Server]:
        """Give each name once: configured targets go before, then who comes first."""
        for entry, files in entries:
            for known in [self._read[file] for file in files if file in self._read]:
                for found in known.found or ():
                    if found.name not in taken:
                        taken[found.name] = found.file
                        yield entry.server(found)
                    elif not known.missed:
                        clashes.append(_clash(found, taken[found.name]))


def matches(pattern: str) -> Sequence[str]:
    """Give the files that a pattern names and that are there."""
    try:
        return [file for file in glob.glob(pattern, recursive=True) if Path(file).is_file()]  # noqa: PTH207 - see config
    except ValueError:
        return []


def _content(file: str) -> bytes:
    """Read a file's bytes; raises FileNotFoundError when it is gone, ConfigErrors when it cannot be read."""
    try:
        with Path(file).open("rb") as opened:
            content = opened.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ConfigErrors([ConfigError(file, 0, "", f"cannot be read: {error.strerror}")]) from None
    if len(content) > MOST_BYTES:
        raise ConfigErrors([ConfigError(file, 0, "", f"is larger than {MOST_BYTES // 1024**2} MiB")])
    return content


def _clash(found: Found, other: str) -> ConfigError:
    where = f"in {other}" if other else "in the configuration"
    remedy = f"this one is left out; the label {NAME} gives it another name"
    return ConfigError(found.file, found.line, "", f"a target named {found.name} is {where} already", remedy)
