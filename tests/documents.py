"""HTML as a parser reads it: which elements, which attributes, which text."""

from collections import Counter
from html.parser import HTMLParser

SILENT = {"style", "script", "title"}


class Document(HTMLParser):
    """What was read; `pieces` are the texts, in order."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str]] = []
        self.pieces: list[str] = []
        self.headings: list[str] = []
        self.opened = 0
        self._inside: list[str] = []

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    def values(self, name: str) -> list[str]:
        """Every value of an attribute, in order."""
        return [value for key, value in self.attributes if key == name]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(name, value or "") for name, value in attrs]
        self.opened += tag == "details" and ("open", None) in attrs
        self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._inside:
            while self._inside.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if not SILENT & set(self._inside):
            self.pieces.append(data)
            if self._inside and self._inside[-1] == "h2":
                self.headings.append(data)


def read(text: str) -> Document:
    document = Document()
    document.feed(text)
    document.close()
    return document
