"""Probes and rules made by hand for the tests of catalogue and configuration."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from monitor.catalog import Catalog
from monitor.measurement import Measurement
from monitor.model import Area, Finding, NoVerdict
from monitor.probe import Kind, Metric, Probe, Scope
from monitor.rule import Rule


@dataclass(frozen=True, kw_only=True)
class Link:
    table: str
    column: str
    target: str | None = None
    one_per_user: bool = False


@dataclass(frozen=True, kw_only=True)
class AuthOptions:
    schema: str = "auth"
    grace: float = 300.0
    sample_keys: int = 0
    links: tuple[Link, ...] = ()
    not_links: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.sample_keys > 10:
            raise ValueError("sample_keys should be at most 10")


@dataclass(frozen=True, kw_only=True)
class SlowOptions:
    depth: int = 3
    floor_bytes: float = 1024.0


@dataclass(frozen=True, kw_only=True)
class Slow(Rule):
    """Something is slow.

    Why: it takes long.
    What to do: make it fast.
    When it is wrong: never.
    Cost: none.
    """

    id: ClassVar[str] = "things.slow"
    area: ClassVar[Area] = Area.PERFORMANCE
    simple_ms: float = 100.0
    size_bytes: float = 4096.0
    top: int | None = None

    def check(self, seen: Measurement) -> Iterator[Finding | NoVerdict]:
        yield from ()


@dataclass(frozen=True, kw_only=True)
class Own(Slow):
    __doc__ = Slow.__doc__
    id: ClassVar[str] = "own.rule"


THINGS = Probe(
    name="things",
    scope=Scope.SERVER,
    every=15,
    sql={14: "select 1 as load"},
    metrics=(Metric("load", Kind.GAUGE, "Load."),),
    options=SlowOptions(),
    rules=(Slow(),),
)
LINKS = Probe(name="links", scope=Scope.DATABASE, every=60, sql={14: "select 1"}, options=AuthOptions(), section="auth")

CATALOG = Catalog(judges=(Own(),)).with_probe(THINGS).with_probe(LINKS)
