"""Writes a commented starter configuration for `monitor init`: the shipped example, and its YAML probes beside it."""

from __future__ import annotations

import os
from importlib.resources.abc import Traversable
from pathlib import Path

from monitor.errors import UsageError
from monitor.shipped import shipped

CONFIG_NAME = "monitor.yaml"
FOLDER = "probes.d"


def starter(directory: Path) -> tuple[Path, ...]:
    """Write the files and give their paths; raises UsageError, before it writes, when one of them is there already."""
    wanted: dict[Path, Traversable] = {directory / CONFIG_NAME: shipped("config", "monitor.example.yaml")}
    for probe in sorted(shipped("config", FOLDER).iterdir(), key=lambda file: file.name):
        if probe.name.endswith(".yaml"):
            wanted[directory / FOLDER / probe.name] = probe
    for path in wanted:
        if path.exists():
            raise UsageError(f"{path}: is there already and is not overwritten; name another directory")
    try:
        for path, source in wanted.items():
            _write(path, source.read_bytes())
    except OSError as error:
        raise UsageError(f"{directory}: cannot be written: {error.strerror}; name another directory") from None
    return tuple(wanted)


def _write(path: Path, content: bytes) -> None:
    """Create a file only its owner can read: a password may come to stand in it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
