"""The compose file and what it mounts: no engine runs here, so all that can be checked without one is.

Whatever a container is pointed at is there, is read only, and is accepted by the program that will read it.
"""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from dashboards.frame import PAGE_URL
from monitor import __version__
from monitor.config.load import load_config
from monitor.whole import whole_catalog
from tests.conftest import absent
from tests.dockerfile import CHECKOUT, last

FOLDER = CHECKOUT / "dashboards"
COMPOSE: Mapping[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: Mapping[str, Mapping[str, Any]] = COMPOSE["services"]
EACH = pytest.mark.parametrize("name", SERVICES)
SECRET = re.compile(r"PASSWORD|TOKEN|SECRET|DSN")
PORTS = {"monitor": 9779, "prometheus": 9090, "alertmanager": 9093, "grafana": 3000}


def mounts(name: str) -> Iterator[tuple[str, str, str]]:
    """Give source, place in the container, and mode."""
    for each in SERVICES[name]["volumes"]:
        source, place, mode = [*each.split(":"), "rw"][:3]
        yield source, place, mode


def mounted(name: str, path: str) -> Path:
    """Find the file here that a container has under a path."""
    for source, place, _ in mounts(name):
        if source.startswith(".") and (path == place or path.startswith(f"{place}/")):
            return FOLDER / source / path.removeprefix(place).lstrip("/")
    pytest.fail(f"{name} has no {path}")


def read(path: str) -> Any:
    return yaml.safe_load((FOLDER / path).read_text(encoding="utf-8"))


@EACH
def test_a_service_is_locked_down(name: str) -> None:
    """A version is pinned, nothing may be written but its own volume, no right is left, and it says how it is."""
    service = SERVICES[name]
    assert re.fullmatch(r"[a-z/]+:v?\d+\.\d+\.\d+", service["image"])
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert name == "monitor" or service["healthcheck"]["test"][0] == "CMD"
    assert last("HEALTHCHECK").rest


@EACH
def test_a_service_is_open_to_this_machine_only(name: str) -> None:
    assert SERVICES[name]["ports"] == [f"127.0.0.1:{PORTS[name]}:{PORTS[name]}"]


@EACH
def test_what_is_mounted_is_there(name: str) -> None:
    """Our files read only, each volume declared."""
    for source, _, mode in mounts(name):
        if source.startswith("."):
            assert (FOLDER / source).exists(), source
            assert mode == "ro", source
        else:
            assert source in COMPOSE["volumes"], source
    assert set(SERVICES[name].get("depends_on", ())) <= SERVICES.keys()


@EACH
def test_no_secret_has_a_default(name: str) -> None:
    """What is secret comes from the environment, and without it nothing starts."""
    for variable, value in SERVICES[name].get("environment", {}).items():
        if SECRET.search(variable):
            assert re.fullmatch(r"\$\{\w+:\?[^}]+\}", value), variable


def test_the_monitor_takes_its_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    """`monitor check-config` has nothing to say, and what others point at is where it listens."""
    file = mounted("monitor", last("CMD").words[-1])
    monkeypatch.setenv("PGARCHITECT_DSN", "postgresql://monitor@host.docker.internal:5432/")
    done = subprocess.run(
        [sys.executable, "-m", "monitor", "check-config", file], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    web = load_config(file, whole_catalog()).web
    assert urlsplit(f"//{web.listen}").port == PORTS["monitor"]
    assert web.external_url == PAGE_URL
    assert SERVICES["monitor"]["image"] == f"pgarchitect:{__version__}"


def test_prometheus_takes_its_configuration() -> None:
    """It passes promtool with the rules beside it; it scrapes the monitor under the name the rules look for."""
    if shutil.which("promtool") is None:
        absent("promtool is not installed")
    (option,) = [each for each in SERVICES["prometheus"]["command"] if each.startswith("--config.file=")]
    file = mounted("prometheus", option.partition("=")[2])
    done = subprocess.run(["promtool", "check", "config", file], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("rules found") == len(list(file.parent.glob("*.rules.yaml"))) == 2
    jobs = {
        job["job_name"]: job["static_configs"][0]["targets"]
        for job in yaml.safe_load(file.read_text())["scrape_configs"]
    }
    assert jobs["pgarchitect"] == [f"monitor:{PORTS['monitor']}"]


def test_alertmanager_takes_its_configuration() -> None:
    """It passes amtool; Prometheus and the monitor send to it; the findings it keeps alerts quiet for are there."""
    if shutil.which("amtool") is None:
        absent("amtool is not installed")
    file = mounted("alertmanager", "/etc/alertmanager/alertmanager.yml")
    done = subprocess.run(["amtool", "check-config", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    place = f"alertmanager:{PORTS['alertmanager']}"
    assert place in json.dumps(read("prometheus/prometheus.yml")["alerting"])
    assert f"http://{place}" in (FOLDER / "compose" / "monitor.yaml").read_text(encoding="utf-8")
    quoted = set(re.findall(r'alertname="([a-z_.]+)"', file.read_text(encoding="utf-8")))
    assert quoted == {"target.unreachable", "series.dropped"}
    assert quoted <= whole_catalog().rules.keys()


def test_grafana_finds_prometheus_and_the_boards() -> None:
    """The source has Prometheus' scrape interval; boards are where the provider looks; no alert is provisioned."""
    (source,) = read("grafana/provisioning/datasources/prometheus.yaml")["datasources"]
    assert source["url"] == f"http://prometheus:{PORTS['prometheus']}"
    assert source["jsonData"]["timeInterval"] == read("prometheus/prometheus.yml")["global"]["scrape_interval"]
    (provider,) = read("grafana/provisioning/dashboards/pgarchitect.yaml")["providers"]
    assert {path.name for path in mounted("grafana", provider["options"]["path"]).glob("*.json")} >= {"overview.json"}
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert mounted("grafana", home).is_file()
    assert {path.name for path in mounted("grafana", "/etc/grafana/provisioning").iterdir()} == {
        "datasources",
        "dashboards",
    }
