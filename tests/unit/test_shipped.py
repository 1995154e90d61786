"""Shipped files: found in a checkout, and missing ones are named."""

import pytest

from monitor.shipped import shipped


def test_the_config_folder_is_found() -> None:
    """Here it is the checkout's; a wheel carries it inside the package (end_to_end proves that)."""
    assert shipped("config").is_dir()


def test_a_missing_file_is_named() -> None:
    """The error says which one, with the folder it should be in."""
    with pytest.raises(FileNotFoundError, match="config/none"):
        shipped("config", "none")
