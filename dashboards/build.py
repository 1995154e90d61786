"""Write the boards: `python -m dashboards.build`; with `--check` only say whether the files are as they would be."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from dashboards.auth import auth
from dashboards.database import database
from dashboards.frame import Board
from dashboards.ourselves import monitor
from dashboards.overview import overview
from dashboards.pools import pools
from dashboards.statements import statements
from dashboards.tables import tables

FOLDER = Path(__file__).parent / "grafana"
MADE = (overview(), database(), statements(), pools(), tables(), auth(), monitor())
BOARDS: Mapping[str, Board] = {f"{board.name}.json": board for board in MADE}


def rendered(board: Board) -> str:
    """Give a board's JSON: panels numbered, keys sorted, so that a change shows as what it is."""
    built = board.build()
    for number, panel in enumerate(built.panels or (), start=1):
        panel.id_val = number
    return json.dumps(built, cls=JSONEncoder, indent=2, sort_keys=True) + "\n"


def stale(folder: Path) -> list[str]:
    """Name the files that are not as they would be written."""
    return [name for name, board in BOARDS.items() if _kept(folder / name) != rendered(board)]


def _kept(file: Path) -> str:
    return file.read_text(encoding="utf-8") if file.exists() else ""


def main(arguments: Sequence[str], folder: Path = FOLDER) -> int:
    """Write or check; 1 when a file is out of date, 2 for an argument nobody knows."""
    if arguments not in ([], ["--check"]):
        print("usage: python -m dashboards.build [--check]", file=sys.stderr)
        return 2
    old = stale(folder)
    if arguments:
        for name in old:
            print(f"{folder / name}: out of date; run `make docs`", file=sys.stderr)
        return int(bool(old))
    folder.mkdir(exist_ok=True)
    for name in old:
        (folder / name).write_text(rendered(BOARDS[name]), encoding="utf-8")
        print(f"wrote {folder / name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
