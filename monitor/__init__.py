"""pgarchitect: a database architect that never sleeps. The command is `monitor`."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("pgarchitect")
except PackageNotFoundError:  # a checkout on PYTHONPATH, not installed
    __version__ = "0+unknown"
