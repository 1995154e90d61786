"""Statements' texts as labels of one metric, where the configuration asks for it: the beginning, without constants."""

from __future__ import annotations

from collections.abc import Iterable

from monitor.probe import Aside, Kind, Metric, Row
from probes.statements_texts import Texts
from probes.statements_top import OTHER, View, entry_of

CHARACTERS = 120

ASIDE = Aside(
    name="captions",
    labels=("database", "query", "text"),
    metrics=(Metric("info", Kind.GAUGE, "1 for each statement that is told apart, with the beginning of its text."),),
)


class Captions:
    """One text for each series' fingerprint: that which was seen first, as long as the series lasts."""

    def __init__(self) -> None:
        self._texts: dict[tuple[str, str], str] = {}

    def take(self, exposed: Iterable[Row], entries: Iterable[Row], texts: Texts, view: View) -> list[Row]:
        """Give a row for each fingerprint that is exposed; one whose text is not known yet has an empty one."""
        shown = {(str(row["database"]), str(row["query"])) for row in exposed if row["query"] != OTHER}
        self._texts = {place: text for place, text in self._texts.items() if place in shown}
        for row in entries:
            text = texts.of(entry_of(row))
            if text.redacted:
                self._texts.setdefault((view.database(row), text.label), _cut(text.redacted))
        return [
            {"database": database, "query": query, "text": self._texts.get((database, query), ""), "info": 1}
            for database, query in sorted(shown)
        ]


def _cut(text: str) -> str:
    return text if len(text) <= CHARACTERS else text[: CHARACTERS - 1] + "…"
