"""Which servers belong to one replication, by what the configuration says."""

import pytest

from monitor.model import Secret, Server
from monitor.standing import relatives


def server(name: str, replica_of: str | None = None) -> Server:
    return Server(name=name, dsn=Secret(""), replica_of=replica_of)


FLEET = [server("a"), server("b", "a"), server("c", "b"), server("d", "a"), server("lone"), server("x", "gone")]


@pytest.mark.parametrize(
    ("name", "others"),
    [("a", "bcd"), ("b", "acd"), ("c", "abd"), ("lone", "")],
)
def test_all_below_one_primary_belong_together(name: str, others: str) -> None:
    """Standbys of standbys too; after a failover it is the same family, whoever leads."""
    own = next(each for each in FLEET if each.name == name)
    assert relatives(own, FLEET) == [*others]


def test_a_primary_that_is_not_watched_is_missed() -> None:
    """What it counted is not known."""
    assert relatives(FLEET[-1], FLEET) == ["gone"]


def test_a_circle_ends() -> None:
    """A reload may show one for a moment."""
    circle = [server("a", "b"), server("b", "a")]
    assert relatives(circle[0], circle) in (["b"], [])
