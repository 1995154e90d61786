"""The files we ship beside the code: in a wheel they are under monitor/shipped, in a checkout at its top level."""

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent


def shipped(*parts: str) -> Traversable:
    """The shipped file or folder, as in `shipped("config", "grants.sql")`.

    An installed copy wins over the checkout. Raises FileNotFoundError when neither has it.
    """
    installed = files("monitor").joinpath("shipped", *parts)
    if installed.is_file() or installed.is_dir():
        return installed
    inside = CHECKOUT.joinpath(*parts)
    if inside.exists() and (CHECKOUT / "pyproject.toml").is_file():
        return inside
    raise FileNotFoundError("/".join(parts))
