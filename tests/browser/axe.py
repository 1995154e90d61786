"""axe-core, which tells what keeps people with a keyboard or a screen reader out: from npm, pinned by sha512."""

from __future__ import annotations

import hashlib
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from playwright.async_api import Page

RELEASE = "4.10.3"
SHA512 = (
    "5e6edba515e70d25f6604d9815f064d859c5d1ea7ab661bbc4f87c88779ef0c2"
    "1cae0abbeb636471ef39e9d62d2582e4b88a1866f19f4ecfcf6d986275e4dc12"
)
CACHE = Path(__file__).resolve().parents[2] / ".cache" / f"axe-core-{RELEASE}.js"
GRAVE = frozenset({"serious", "critical"})


def script() -> str:
    """Give axe-core's text, fetched once; raises OSError or CalledProcessError where it cannot be had."""
    if not CACHE.exists():
        CACHE.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE.parent, prefix="axe-") as folder:
            command = ["npm", "pack", "--silent", "--pack-destination", folder, f"axe-core@{RELEASE}"]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=120)
            fetched = Path(folder) / "axe.min.js"
            fetched.write_bytes(_checked(Path(folder) / f"axe-core-{RELEASE}.tgz"))
            fetched.replace(CACHE)
    return CACHE.read_text(encoding="utf-8")


def _checked(tarball: Path) -> bytes:
    if hashlib.sha512(tarball.read_bytes()).hexdigest() != SHA512:
        raise OSError(f"{tarball.name}: its sha512 is not the pinned one; nothing was unpacked")
    with tarfile.open(tarball) as archive:
        member = archive.extractfile("package/axe.min.js")
        assert member is not None
        return member.read()


async def faults(page: Page, axe: str) -> list[str]:
    """Give what is serious or worse, each with where.

    The script comes in by the debugger, so that the page's policy may stay as strict as it is.
    """
    await page.evaluate(axe)
    found: dict[str, Any] = await page.evaluate("axe.run()")
    return [
        f"{each['id']}: {node['target']} {node['failureSummary']}"
        for each in found["violations"]
        if each["impact"] in GRAVE
        for node in each["nodes"]
    ]
