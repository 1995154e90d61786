"""Writes a report to a file: whole or not at all, and what cannot be written is told before anybody looks."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from monitor.errors import UsageError

MODE = 0o666


def check_output(path: Path) -> None:
    """Tell at once, not after the window, that a file cannot be written; raises UsageError."""
    folder = path.parent
    if path.is_dir():
        raise UsageError(f"--output {path}: is a folder; name a file in it")
    if not folder.is_dir():
        raise UsageError(f"--output {path}: there is no folder {folder}; make it, or choose another file")
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise UsageError(f"--output {path}: Permission denied; choose another file")


def to_file(path: Path, text: str) -> None:
    """Put a text in the place of a file, which keeps its rights; a pipe or device is written to; raises UsageError."""
    try:
        if path.exists() and not (path.is_file() and os.access(path.resolve().parent, os.W_OK)):
            path.write_text(text, encoding="utf-8", errors="backslashreplace")
        else:
            _replace(path.resolve(), text)
    except OSError as error:
        raise UsageError(f"--output {path}: {error.strerror}; choose another file") from None


def _replace(path: Path, text: str) -> None:
    """Write beside it first: who reads meanwhile sees the old report, whole."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".report-")
    os.close(handle)
    beside = Path(name)
    try:
        beside.write_text(text, encoding="utf-8", errors="backslashreplace")
        beside.chmod(_mode(path))
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _mode(path: Path) -> int:
    """Give the rights that the file has, or that a new one would get."""
    try:
        return path.stat().st_mode & 0o7777
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        return MODE & ~mask
