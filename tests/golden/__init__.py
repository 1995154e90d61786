"""Texts as they were once read and found good; `PGARCHITECT_GOLDEN=write pytest …` writes them anew."""

import os
from pathlib import Path

HERE = Path(__file__).parent


def same_as_golden(name: str, text: str) -> None:
    """Compare with the kept text; a change must be looked at and then written."""
    kept = HERE / name
    if os.environ.get("PGARCHITECT_GOLDEN") == "write":
        kept.write_text(text, encoding="utf-8")
    assert text == kept.read_text(encoding="utf-8"), f"{kept} differs; if the change is good: PGARCHITECT_GOLDEN=write"
