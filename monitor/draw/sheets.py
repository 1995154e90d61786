"""The templates' room: compiled once, everything escaped, nothing loaded from elsewhere; and the files beside them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache, cached_property, partial
from hashlib import sha256
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from monitor import __version__
from monitor.draw.health import target_of
from monitor.draw.listing import row_of, statements_of
from monitor.draw.plot import WRITE
from monitor.draw.words import ago, ahead, evidence, figure, short, stamp, visible, when
from monitor.measurement import duration, plural

if TYPE_CHECKING:
    from jinja2 import Environment

STATIC: Final[Mapping[str, str]] = MappingProxyType(
    {"style.css": "text/css", "icon.svg": "image/svg+xml", "page.js": "text/javascript; charset=utf-8"}
)
"""The files the pages refer to, and their types."""

PLACES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Overview": "/",
        "Findings": "/findings",
        "Statements": "/statements",
        "Pools": "/pools",
        "Tables": "/tables",
        "Auth": "/auth",
        "Migrations": "/migrations",
        "Targets": "/targets",
        "Rules": "/rules",
        "Audit": "/audit",
    }
)
"""The pages one can go to from everywhere, in the order of the menu."""


@cache
def static() -> Mapping[str, bytes]:
    """Give the files the pages refer to."""
    return {name: files("monitor.draw").joinpath("static", name).read_bytes() for name in STATIC}


def environment() -> Environment:
    """Give a room for our templates: everything is escaped, hidden characters are written out.

    Most daemons are scraped and never looked at, and do without its 2 MiB.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 - see above

    return Environment(
        loader=PackageLoader("monitor.draw"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        finalize=visible,
    )


class Sheets:
    """Fills templates in; every text is escaped, and what would be invisible in it is written out."""

    def fill(self, template: str, now: datetime, **context: object) -> bytes:
        """Give a page; with a `revision` it keeps itself up to date in the browser."""
        page = self._environment.get_template(template).render(
            now=now, ago=partial(ago, now=now), ahead=partial(ahead, now=now), **context
        )
        return page.encode("utf-8", "replace")

    @cached_property
    def _environment(self) -> Environment:
        room = environment()
        room.filters.update(
            amount=WRITE[""],
            bytes=WRITE["bytes"],
            duration=duration,
            evidence=evidence,
            figure=figure,
            plural=plural,
            rate=WRITE["rate"],
            row_of=row_of,
            short=short,
            statements_of=statements_of,
            stamp=stamp,
            target_of=target_of,
            when=when,
        )
        style = sha256(b"".join(static().values())).hexdigest()[:8]
        room.globals.update(
            version=__version__, style=style, places=PLACES, place_here="", refresh=None, revision=None, refused=""
        )
        return room
