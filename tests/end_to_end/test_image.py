"""The image, built by its Dockerfile and run as the manifests say, without a container engine: engine.py says how."""

import os
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from monitor.embedded import free_port
from tests.database import Database
from tests.dockerfile import health_check, last
from tests.end_to_end.container import Container, Locked, bounded, size
from tests.end_to_end.engine import Stage, built, space
from tests.faults.harness import Daemon, series
from tests.manifests import CONTAINER, MANIFESTS, POD, mounted
from tests.patience import PATIENCE

pytestmark = pytest.mark.soak

TOKEN = str(MANIFESTS["Secret"]["stringData"]["token"])
STARTS_A_SERVER = """
import asyncio
from monitor.embedded import EmbeddedServer

async def main():
    async with EmbeddedServer.started() as server:
        print("listens on", server.port)

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The last stage, built once: a minute or two."""
    with space(tmp_path_factory.mktemp("image")) as made:
        yield built(made)


@dataclass
class Pod(Daemon):
    """The daemon in its container; only the DSN and the port are not those of the manifests."""

    @property
    def container(self) -> Container:
        assert isinstance(self.process, Container)
        return self.process

    def write(self) -> Path:
        """Fill the volumes as Kubernetes does: what is secret is the group's to read, the state's folder to write."""
        group = POD["securityContext"]["fsGroup"]
        for name in ("config", "secrets", "state"):
            (self.folder / name).mkdir(exist_ok=True)
        (text,) = MANIFESTS["ConfigMap"]["data"].values()
        listen = str(self.config["web"]["listen"])
        (self.folder / "config" / "monitor.yaml").write_text(text.replace("0.0.0.0:9779", listen))
        for name, secret in {"shop_dsn": str(self.config["dsn"]), "token": TOKEN}.items():
            file = self.folder / "secrets" / name
            file.write_text(secret)
            os.chown(file, 0, group)
            file.chmod(0o440)
        os.chown(self.folder / "state", 0, group)
        (self.folder / "state").chmod(0o2770)
        return Path(mounted("config")) / "monitor.yaml"

    async def get(self, path: str) -> str:
        """Ask as Prometheus does, with the token."""
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        async with aiohttp.ClientSession(self.url, headers=bearer) as http, http.get(path) as answer:
            return await answer.text()


@pytest.fixture
async def pod(image: Stage, database: Database, tmp_path: Path) -> AsyncIterator[Pod]:
    monitor = await database.as_monitor()
    with bounded() as room:
        volumes = {name: tmp_path / name for name in ("config", "secrets", "state")}
        locked = Locked(stage=image, volumes=volumes, room=room)
        config = {"dsn": monitor.dsn, "web": {"listen": f"127.0.0.1:{free_port()}"}}
        made = Pod(tmp_path, config, spawn=locked.spawn)
        await made.start()
        try:
            yield made
        finally:
            if made.running.returncode is None:
                made.running.kill()
            await made.running.wait()


def test_the_image_says_how_the_manifests_run_it(image: Stage) -> None:
    """Its command is what the pod's arguments are; its ports, volume and user are those of the pod."""
    assert image.said["CMD"].words == CONTAINER["args"]
    assert image.said["VOLUME"].words == [mounted("state")]
    assert image.place("/opt/pgarchitect/bin/monitor").exists()
    assert not list(image.place("/opt/pgarchitect").glob("lib/python*/site-packages/hatchling"))
    owner = image.place(mounted("state")).stat()
    assert (f"{owner.st_uid}:{owner.st_gid}", owner.st_mode & 0o777) == (image.said["USER"].rest, 0o700)


async def test_the_image_runs_locked_in_as_a_pod(pod: Pod) -> None:
    """It watches a server, is well by its own health check, has no rights, writes to its volumes only, and ends."""
    await pod.up(30)
    await watches_and_is_well(pod)
    has_no_rights(pod)
    for path in ("/", "/opt/pgarchitect", mounted("config"), mounted("secrets")):
        status, said = await pod.container.execute("touch", f"{path}/probe")
        assert status, path
        assert re.search("Read-only|Permission", said), said
    for path in (mounted("state"), mounted("scratch")):
        assert await pod.container.execute("touch", f"{path}/probe") == (0, "")
    assert await pod.stop(POD["terminationGracePeriodSeconds"] / PATIENCE) == 0, pod.tail()
    assert {path.name for path in (pod.folder / "state").iterdir()} >= {"state.db"}
    assert (pod.folder / "state" / "state.db").stat().st_mode & 0o777 == 0o600
    for secret in (TOKEN, str(pod.config["dsn"]), "Traceback"):
        assert secret not in pod.log


async def watches_and_is_well(pod: Pod) -> None:
    samples = await pod.samples()
    assert set(series(samples, "pgarchitect_up").values()) == {1.0}
    port = str(pod.config["web"]["listen"]).rpartition(":")[2]
    program = [word.replace(last("EXPOSE").rest, port) for word in health_check()]
    assert await pod.container.execute(*program) == (0, "")


def has_no_rights(pod: Pod) -> None:
    """Nor more memory than the manifests give."""
    lines = Path(f"/proc/{pod.running.pid}/status").read_text().splitlines()
    status = {name: value.split() for name, _, value in (line.partition(":") for line in lines)}
    user, _, group = last("USER").rest.partition(":")
    assert (status["Uid"], status["Gid"], status["Groups"]) == ([user] * 4, [group] * 4, [])
    assert {int(status[name][0], 16) for name in ("CapEff", "CapPrm", "CapBnd", "CapInh")} == {0}
    assert status["NoNewPrivs"] == ["1"]
    assert int(status["VmHWM"][0]) * 1024 < size(CONTAINER["resources"]["limits"]["memory"])


async def test_the_shadow_planner_starts_in_the_pod(pod: Pod) -> None:
    """Its server needs the scratch volume, and nobody's rights."""
    await pod.up(30)
    status, said = await pod.container.execute("python", "-c", STARTS_A_SERVER)
    assert (status, said.startswith("listens on")) == (0, True), said
    assert await pod.stop() == 0, pod.tail()
