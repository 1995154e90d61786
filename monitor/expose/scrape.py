"""What /metrics answers: the probes' series and our own, in the form and packing the scraper asks for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from monitor.expose.cached import Cached
from monitor.expose.metrics import Exposition
from monitor.expose.own import Own
from monitor.status import Shelf

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


@dataclass(frozen=True)
class Answer:
    """A body with what its headers say."""

    body: bytes
    content_type: str
    packed: bool


class Scrape:
    """Joins the two halves once per change of any of them."""

    def __init__(self, shelf: Shelf, exposition: Exposition, own: Own) -> None:
        self._shelf, self._exposition, self._own = shelf, exposition, own
        self._forms = {form: Cached(self._maker(openmetrics=form)) for form in (False, True)}

    async def answer(self, accept: str, accept_encoding: str) -> Answer:
        """Give the page for a scraper's Accept and Accept-Encoding headers."""
        openmetrics, packed = wants_openmetrics(accept), _quality(accept_encoding, "gzip") > 0
        form, version = self._forms[openmetrics], self._version()
        body = await form.packed(version) if packed else form.plain(version)
        return Answer(body, OPENMETRICS if openmetrics else TEXT, packed)

    def _version(self) -> tuple[int, int, int]:
        return self._shelf.revision, self._exposition.revision, self._own.revision

    def _maker(self, *, openmetrics: bool) -> Callable[[], bytes]:
        def make() -> bytes:
            parts = (each.page(openmetrics=openmetrics) for each in (self._own, self._exposition))
            return b"".join((*parts, b"# EOF\n" if openmetrics else b""))

        return make


@lru_cache(maxsize=64)
def wants_openmetrics(accept: str) -> bool:
    """Tell whether the Accept header prefers OpenMetrics, or does not mind."""
    wish = _quality(accept, "application/openmetrics-text")
    return wish > 0 and wish >= _quality(accept, "text/plain")


@lru_cache(maxsize=64)
def _quality(header: str, name: str) -> float:
    """Give the highest q of a name in an Accept-like header; 0 when it is not there."""
    best = 0.0
    for part in header.lower().split(","):
        kind, *parameters = (piece.strip() for piece in part.split(";"))
        if kind == name:
            given = [piece[2:] for piece in parameters if piece.startswith("q=")]
            best = max(best, _as_quality(given[-1]) if given else 1.0)
    return best


def _as_quality(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
