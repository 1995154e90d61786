"""What postgres_exporter would say, from our own probes on a real server; and Debian's postgres_exporter beside it."""

import asyncio
import os
import shutil
import subprocess
import urllib.request
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeAlias

from prometheus_client.parser import text_string_to_metric_families

from monitor.embedded import free_port
from monitor.expose.compat import POSTGRES_EXPORTER, Compat
from monitor.expose.metrics import Exposition
from monitor.expose.postgres_exporter.table import PROBES
from monitor.measurement import Measurement
from monitor.model import Result
from monitor.whole import whole_catalog
from tests.conftest import absent
from tests.database import Database

Labels: TypeAlias = frozenset[tuple[str, str]]
Samples: TypeAlias = Mapping[str, Mapping[Labels, float]]

SECONDS = 20.0
"""How long the exporter may take to begin."""


async def readings(database: Database) -> list[Measurement]:
    """Read once with every probe that the names need."""
    catalog = whole_catalog()
    seen = []
    for name in sorted(PROBES):
        async with database.eye(catalog.probes[name]) as eye:
            seen.append(await eye.look())
    return seen


async def page(database: Database) -> str:
    """Give the page of their names, from one reading of each probe."""
    exposition, catalog = Exposition(limit=20_000, compat=Compat([POSTGRES_EXPORTER])), whole_catalog()
    for seen in await readings(database):
        assert seen.result is Result.OK, f"{seen.probe}: {seen.reason}"
        exposition.absorb(catalog.probes[seen.probe], seen)
    return exposition.page(openmetrics=False).decode()


def samples(text: str, without: Iterable[str] = ("target", "server")) -> Samples:
    """Give every sample by name and labels, some labels left out."""
    left_out, found = set(without), defaultdict[str, dict[Labels, float]](dict)
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = frozenset((name, value) for name, value in sample.labels.items() if name not in left_out)
            found[sample.name][labels] = sample.value
    return found


def types(text: str) -> dict[str, str]:
    """Give the type of every metric, as its TYPE line says it."""
    lines = [line.split() for line in text.splitlines() if line.startswith("# TYPE ")]
    return {name: kind for _, _, name, kind in lines}


@asynccontextmanager
async def debians_exporter(dsn: str, folder: Path) -> AsyncIterator[str]:
    """Run Debian's postgres_exporter against a server; gives where it is scraped."""
    program = shutil.which("prometheus-postgres-exporter")
    if program is None:
        absent("postgres_exporter is not installed: apt-get install prometheus-postgres-exporter")
    port = free_port()
    with (folder / "exporter.log").open("wb") as log:
        process = subprocess.Popen(
            [program, f"--web.listen-address=127.0.0.1:{port}"],
            env={**os.environ, "DATA_SOURCE_NAME": dsn},
            stdout=log,
            stderr=log,
        )
    try:
        url = f"http://127.0.0.1:{port}/metrics"
        await _answering(url)
        yield url
    finally:
        process.kill()
        process.wait(10)


async def scraped(url: str) -> str:
    """Scrape a page."""
    return await asyncio.to_thread(_read, url)


def _read(url: str) -> str:
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - our own address
        text: str = answer.read().decode()
        return text


async def _answering(url: str) -> None:
    async with asyncio.timeout(SECONDS):
        while True:
            try:
                await scraped(url.replace("/metrics", "/"))
            except OSError:
                await asyncio.sleep(0.1)
            else:
                return


def kept(
    found: Mapping[Labels, float], names: Sequence[str], merge: Callable[[Iterable[float]], float] = sum
) -> Mapping[Labels, float]:
    """Put together what differs in other labels only."""
    values = defaultdict[Labels, list[float]](list)
    for labels, value in found.items():
        values[frozenset(each for each in labels if each[0] in names)].append(value)
    return {labels: merge(each) for labels, each in values.items()}
