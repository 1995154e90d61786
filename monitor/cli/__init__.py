"""The command line: `monitor …`. stdout carries the result, stderr the talk; exit statuses are CONTRACT's."""

from monitor.cli.app import main

__all__ = ["main"]
