"""The manifests for Kubernetes: kinds and versions, one pod that is locked in, and names that fit each other."""

import asyncio
import json
import re
import shutil
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import jsonschema_rs
import pytest
import yaml
from typer.main import get_group

from monitor import __version__
from monitor.cli.app import app
from monitor.config.load import Config, load_config
from monitor.config.model import DEFAULT_STORE
from monitor.embedded import free_port
from monitor.whole import whole_catalog
from tests.database import Database
from tests.faults.harness import Daemon
from tests.manifests import CHECKOUT, CONTAINER, FOLDER, MANIFESTS, POD, Manifest, mounted, written

VERSIONS = {
    "Kustomization": "kustomize.config.k8s.io/v1beta1",
    "ConfigMap": "v1",
    "Secret": "v1",
    "PersistentVolumeClaim": "v1",
    "Deployment": "apps/v1",
    "Service": "v1",
    "PodMonitor": "monitoring.coreos.com/v1",
}
NAME = "pgarchitect"
LABELS = {"app.kubernetes.io/name": NAME}
SCHEMAS = json.loads((CHECKOUT / "tests" / "schemas" / "kubernetes-1.37.json").read_text())
OF_OTHERS = {"Kustomization", "PodMonitor"}
"""Kinds that Kubernetes itself does not know: of kubectl, of the Prometheus operator."""


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return load_config(written(tmp_path), whole_catalog())


def test_each_kind_is_there_in_the_version_that_clusters_serve() -> None:
    """Everything has our name and label; one object a file."""
    assert {kind: each["apiVersion"] for kind, each in MANIFESTS.items()} == VERSIONS
    assert len(list(FOLDER.iterdir())) == len(MANIFESTS)
    for kind, each in MANIFESTS.items():
        if kind != "Kustomization":
            assert each["metadata"] == {"name": NAME, "labels": LABELS}, kind


def test_the_kustomization_names_all_but_what_needs_an_operator() -> None:
    named = set(MANIFESTS["Kustomization"]["resources"])
    assert named == {path.name for path in FOLDER.iterdir()} - {"kustomization.yaml", "podmonitor.yaml"}


def test_kubectl_can_put_it_together() -> None:
    """As `kubectl apply -k` does, without a cluster."""
    program = shutil.which("kubectl")
    if program is None:
        pytest.skip("kubectl is not installed")
    done = subprocess.run([program, "kustomize", FOLDER], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    kinds = {each["kind"] for each in yaml.safe_load_all(done.stdout)}
    assert kinds == VERSIONS.keys() - {"Kustomization", "PodMonitor"}


def test_who_selects_the_pod_means_its_labels() -> None:
    deployment, service, scrape = (MANIFESTS[kind]["spec"] for kind in ("Deployment", "Service", "PodMonitor"))
    assert deployment["template"]["metadata"]["labels"] == LABELS
    assert deployment["selector"] == scrape["selector"] == {"matchLabels": LABELS}
    assert service["selector"] == LABELS


def test_one_writer_of_the_store_at_a_time() -> None:
    assert (MANIFESTS["Deployment"]["spec"]["replicas"], MANIFESTS["Deployment"]["spec"]["strategy"]) == (
        1,
        {"type": "Recreate"},
    )


def checked(manifest: Manifest) -> list[str]:
    """Give what Kubernetes' own schema has against an object; it knows each field, and no other."""
    group, _, version = manifest["apiVersion"].rpartition("/")
    schema = SCHEMAS | {"$ref": f"#/$defs/io.k8s.api.{group or 'core'}.{version}.{manifest['kind']}"}
    return [error.message for error in jsonschema_rs.validator_for(schema).iter_errors(manifest)]


@pytest.mark.parametrize("kind", sorted(VERSIONS.keys() - OF_OTHERS))
def test_kubernetes_knows_every_field(kind: str) -> None:
    assert checked(MANIFESTS[kind]) == []


def test_a_slip_in_a_manifest_is_seen() -> None:
    """A field that is not there, at any depth, and a value of another type."""
    slips = (("readOnlyRootFileSystem: true", "readOnlyRootFilesystem: true"), ("replicas: one", "replicas: 1"))
    text = (FOLDER / "deployment.yaml").read_text()
    for wrong, right in slips:
        assert right in text
        assert len(checked(yaml.safe_load(text.replace(right, wrong)))) == 1


def test_the_pod_may_do_nothing_it_need_not() -> None:
    """Nobody in particular, nothing written but where a volume is, no token of the cluster."""
    assert POD["securityContext"]["runAsNonRoot"] is True
    user = re.search(r"^USER (\d+):(\d+)$", (CHECKOUT / "Dockerfile").read_text(), re.MULTILINE)
    assert user is not None
    assert [POD["securityContext"][key] for key in ("runAsUser", "runAsGroup", "fsGroup")] == [
        *map(int, user.groups()),
        int(user[2]),
    ]
    assert CONTAINER["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert POD["automountServiceAccountToken"] is False
    assert POD["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}


def test_it_asks_for_little_and_is_bounded() -> None:
    assert CONTAINER["resources"]["requests"].keys() == {"cpu", "memory"}
    assert "memory" in CONTAINER["resources"]["limits"]


def test_every_volume_is_mounted_and_every_mount_is_a_volume_of_an_object_that_is_here() -> None:
    volumes = {each["name"]: each for each in POD["volumes"]}
    assert volumes.keys() == {each["name"] for each in CONTAINER["volumeMounts"]}
    assert volumes["config"]["configMap"]["name"] == MANIFESTS["ConfigMap"]["metadata"]["name"]
    assert volumes["secrets"]["secret"]["secretName"] == MANIFESTS["Secret"]["metadata"]["name"]
    assert volumes["secrets"]["secret"]["defaultMode"] == 0o440
    assert volumes["state"]["persistentVolumeClaim"]["claimName"] == NAME
    assert Path(DEFAULT_STORE.removeprefix("sqlite:///")).parent == Path(mounted("state"))


def test_its_image_is_this_version_and_its_arguments_are_ours() -> None:
    """The image's entry point is `monitor`; the file it names is the ConfigMap's."""
    assert CONTAINER["image"] == f"{NAME}:{__version__}"
    assert 'ENTRYPOINT ["monitor"]' in (CHECKOUT / "Dockerfile").read_text()
    command, *options = CONTAINER["args"]
    context = get_group(app).commands[command].make_context(command, list(options))
    (key,) = MANIFESTS["ConfigMap"]["data"]
    assert context.params == {"config": Path(mounted("config")) / key}


def test_ports_are_the_one_that_the_configuration_listens_on(config: Config) -> None:
    """By name everywhere else."""
    (port,) = CONTAINER["ports"]
    assert (port["containerPort"], config.web.host) == (config.web.port, "0.0.0.0")  # noqa: S104 - inside the pod
    (service,) = MANIFESTS["Service"]["spec"]["ports"]
    (scrape,) = MANIFESTS["PodMonitor"]["spec"]["podMetricsEndpoints"]
    checks = [CONTAINER[f"{kind}Probe"]["httpGet"] for kind in ("liveness", "readiness", "startup")]
    assert {port["name"]} == {service["targetPort"], scrape["port"], *(each["port"] for each in checks)}


def test_the_configmap_is_a_configuration_without_a_warning_and_without_a_secret(config: Config) -> None:
    """What is secret comes by files of the Secret, all of which are used."""
    assert config.warnings == ()
    text = MANIFESTS["ConfigMap"]["data"]["monitor.yaml"]
    secrets = MANIFESTS["Secret"]["stringData"]
    assert [server.dsn.reveal() for server in config.servers] == [secrets["shop_dsn"]]
    assert [token.reveal() for token in config.web.tokens] == [secrets["token"]]
    assert set(re.findall(rf"!file {mounted('secrets')}/(\w+)", text)) == secrets.keys()
    assert not [each for each in secrets.values() if each in text]
    assert "env" not in CONTAINER
    assert config.store_url.reveal() == DEFAULT_STORE


def test_prometheus_shows_the_token_that_the_door_asks_for() -> None:
    (scrape,) = MANIFESTS["PodMonitor"]["spec"]["podMetricsEndpoints"]
    wanted = scrape["authorization"]["credentials"]
    assert wanted == {"name": MANIFESTS["Secret"]["metadata"]["name"], "key": "token"}
    assert scrape["path"] == "/metrics"


class Pod(Daemon):
    """The daemon as the container runs it: the shipped configuration, secrets as files, nothing in the environment."""

    def write(self) -> Path:
        """Only what the test's machine cannot have is another: the DSN, the port, and where the files are."""
        file = written(self.folder)
        (self.folder / "shop_dsn").write_text(str(self.config["dsn"]))
        text = file.read_text().replace("0.0.0.0:9779", self.config["web"]["listen"])
        file.write_text(text.replace(DEFAULT_STORE, "sqlite:///state.db"))
        return file


@pytest.fixture
async def pod(database: Database, tmp_path: Path) -> AsyncIterator[Pod]:
    monitor = await database.as_monitor()
    made = Pod(tmp_path, {"dsn": monitor.dsn, "web": {"listen": f"127.0.0.1:{free_port()}"}})
    await made.start()
    try:
        yield made
    finally:
        if made.running.returncode is None:
            made.running.kill()
            await made.running.wait()


async def test_the_daemon_on_the_configmap_answers_where_the_manifests_ask(pod: Pod) -> None:
    """Liveness and readiness to everybody; metrics to who shows the token of the Secret."""
    asked = {kind: str(CONTAINER[f"{kind}Probe"]["httpGet"]["path"]) for kind in ("liveness", "readiness", "startup")}
    scrape = MANIFESTS["PodMonitor"]["spec"]["podMetricsEndpoints"][0]
    token = MANIFESTS["Secret"]["stringData"][scrape["authorization"]["credentials"]["key"]]
    bearer = {"Authorization": f"{scrape['authorization']['type']} {token}"}
    async with aiohttp.ClientSession(pod.url, timeout=aiohttp.ClientTimeout(total=5)) as http:
        for path in asked.values():
            await until_well(pod, http, path)
        async with http.get(scrape["path"]) as refused:
            assert refused.status == 401
        async with http.get(scrape["path"], headers=bearer) as answer:
            assert (answer.status, "pgarchitect_up" in await answer.text()) == (200, True)
    assert await pod.stop() == 0
    assert token not in pod.log


async def until_well(pod: Pod, http: aiohttp.ClientSession, path: str, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while True:
        assert time.monotonic() < end, f"{path} is not well\n{pod.tail()}"
        try:
            async with http.get(path) as answer:
                if answer.status == 200:
                    return
        except aiohttp.ClientError:
            assert pod.running.returncode is None, pod.tail()
        await asyncio.sleep(0.2)
