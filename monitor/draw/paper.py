"""One self-contained page: style inlined and vouched for by its hash, no script, nothing asked of anybody."""

from __future__ import annotations

import base64
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from monitor import __version__
from monitor.draw.sheets import environment
from monitor.draw.words import short, visible, when
from monitor.measurement import duration, plural

if TYPE_CHECKING:
    from jinja2 import Environment

STYLES = ("style.css", "report.css")
POLICY = "default-src 'none'; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'"


LONGEST = 30
"""Characters of a word that a narrow column need not break."""


def ticked(text: str) -> Markup:
    """Write what stands between backticks in our own prose as code."""
    parts = [escape(visible(part)) for part in text.split("`")]
    odd = len(parts) % 2 == 0
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if at % 2 and not (odd and at == len(parts) - 1) else part
        for at, part in enumerate(parts)
    )


def long(text: object) -> bool:
    """Tell whether a text has a word that must be broken wherever the line ends."""
    return any(len(word) > LONGEST for word in str(text).split())


def paper(template: str, **context: object) -> str:
    """Draw a template; everything handed in is escaped, hidden characters are written out."""
    style = "".join(files("monitor.draw").joinpath("static", name).read_text("utf-8") for name in STYLES)
    digest = base64.b64encode(sha256(style.encode()).digest()).decode()
    page = (
        _environment()
        .get_template(template)
        .render(
            version=__version__,
            style=Markup(style),  # noqa: S704 - our own file
            policy=POLICY.format(digest),
            **context,
        )
    )
    return page.encode("utf-8", "replace").decode()


@cache
def _environment() -> Environment:
    room = environment()
    room.filters.update(when=when, plural=plural, duration=duration, ticked=ticked, long=long, short=short)
    return room
