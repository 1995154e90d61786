"""A frame of `monitor top`: it fits its screen at every size, and no name can bend it."""

import io
import re

import pytest
from rich.cells import cell_len
from rich.console import Console

from monitor.cli.frame import Screen, Seen, frame
from monitor.cli.shown import Sheet
from monitor.cli.top import View
from monitor.client import Document
from tests.unit.shelf import NOW

HOSTILE = ("\x1b[2J", "a\nb", "\u202eetirw", "\u8868" * 40, "[red]x[/red]", "\U0001f525", "x" * 1000, "")
STATUS = {
    "ready": True,
    "targets": {"up": 3, "down": 1},
    "findings": {"firing:critical": 1, "firing:warning": 1200, "pending:info": 7},
    "total": 4,
}


def found(name: str = "public.orders", severity: str = "warning") -> Document:
    return {
        "severity": severity,
        "status": "firing",
        "starts_at": NOW.isoformat(),
        "target": name,
        "database": "shop",
        "rule": "tables.bloat",
        "subject": name,
    }


def busy(name: str = "select 1") -> Document:
    return {"target": "shop", "database": name, "share": 0.25, "mean_ms": 12.5, "calls": 1234, "text": name}


def pool(name: str = "app", used: float = 9, limit: float | None = 10) -> Document:
    return {"target": "shop", "kind": "role", "name": name, "used": used, "limit": limit}


def drawn(seen: Seen, width: int = 80, lines: int | None = 24, scrolled: int = 0) -> list[str]:
    paper = io.StringIO()
    sheet = Sheet(width=width, colour=False, now=NOW)
    screen = Screen(sheet=sheet, lines=lines, scrolled=scrolled, url="http://127.0.0.1:9779")
    Console(file=paper, width=width, no_color=True, highlight=False).print(frame(seen, screen))
    return paper.getvalue().rstrip("\n").split("\n")


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("lines", [24, 60])
def test_it_fits_the_screen(width: int, lines: int) -> None:
    """Nothing is wrapped, nothing is below the last line, and each table has rows, whatever names are like."""
    seen = Seen(
        status=STATUS,
        findings=[found(name) for name in HOSTILE * 20],
        statements=[busy(name) for name in HOSTILE * 20],
        pools=[pool(name) for name in HOSTILE * 20],
    )
    page = drawn(seen, width, lines)
    assert len(page) <= lines
    assert all(cell_len(line) <= width for line in page)
    assert all(char.isprintable() for line in page for char in line)
    assert page[0].startswith("pgarchitect  1 critical  1,200 warning"[:width])
    assert [name for name in ("Findings", "Busiest", "Pools") if any(line.startswith(name) for line in page)] == [
        "Findings",
        "Busiest",
        "Pools",
    ]


def test_it_says_what_there_is() -> None:
    """Counts, the busiest statement with its figures, and the fullest pool first with a bar as long as it is full."""
    seen = Seen(
        status=STATUS,
        findings=[found(severity="critical")],
        statements=[busy("select  *\n from orders")],
        pools=[pool("half", 5), pool("full"), pool("endless", 3, None)],
    )
    page = "\n".join(drawn(seen, 120))
    assert "3 targets up  1 down  4 not evaluated" in page
    assert "1-1 of 1,201" in page
    assert re.search(r"critical +firing +0 ms +public.orders/shop +tables.bloat +public.orders", page)
    assert re.search(r"25 % +12.5 ms +1,234 +shop/select.* +select \* from orders", page)
    assert page.index("##############..") < page.index("########........")
    assert "endless" not in page


def test_a_quiet_daemon_and_a_young_one_are_told_apart() -> None:
    """Nothing is wrong only when everything was asked."""
    quiet = {"ready": True, "targets": {"up": 1}, "findings": {}, "total": 0}
    assert drawn(Seen(status=quiet))[0] == "pgarchitect  nothing is wrong  1 target up"
    assert "first readings under way" in drawn(Seen(status={**quiet, "ready": False}))[0]
    assert "none fires" in "\n".join(drawn(Seen(status=quiet)))


def test_a_lost_connection_is_said_and_the_rest_stays() -> None:
    """What was seen last stands there, under the reason why it is old."""
    page = drawn(Seen(status=STATUS, findings=[found()], lost="no daemon answers there"))
    assert page[1] == "connection lost: no daemon answers there; trying again"
    assert any("tables.bloat" in line for line in page)


def test_keys_scroll_and_end() -> None:
    """Letters and arrows, several at once, never beyond the ends; others do nothing."""
    view = View()
    for keys, at in (("k", 0), ("jj", 2), ("\x1b[B", 3), ("j", 3), ("\x1b[A\x1bOA", 1), ("x", 1)):
        view.press(keys, 3)
        assert (view.scrolled, view.over) == (at, False)
    view.press("q", 3)
    assert view.over


def test_scrolling_shows_what_was_below() -> None:
    """The first finding shown is the one scrolled to, and the page says where one is."""
    seen = Seen(status=STATUS, findings=[found(f"public.t{number}") for number in range(50)])
    page = "\n".join(drawn(seen, 120, scrolled=30))
    assert "31-" in page
    assert "public.t30" in page
    assert "public.t29" not in page
