"""Reads our manifests for Kubernetes: each object by its kind, and the one container."""

from pathlib import Path
from typing import Any

import yaml

CHECKOUT = Path(__file__).resolve().parents[1]
FOLDER = CHECKOUT / "config" / "kubernetes"
Manifest = dict[str, Any]


def manifests() -> dict[str, Manifest]:
    """Read every file: one object in each, by its kind."""
    read = [yaml.safe_load(path.read_text()) for path in sorted(FOLDER.glob("*.yaml"))]
    return {str(each["kind"]): each for each in read}


MANIFESTS = manifests()
POD: Manifest = MANIFESTS["Deployment"]["spec"]["template"]["spec"]
(CONTAINER,) = POD["containers"]


def written(folder: Path) -> Path:
    """Write the ConfigMap's and the Secret's files where the test may read them, and give the configuration."""
    for name, text in MANIFESTS["Secret"]["stringData"].items():
        (folder / name).write_text(text)
    text = MANIFESTS["ConfigMap"]["data"]["monitor.yaml"]
    file = folder / "monitor.yaml"
    file.write_text(text.replace(mounted("secrets"), str(folder)))
    return file


def mounted(volume: str) -> str:
    (path,) = [each["mountPath"] for each in CONTAINER["volumeMounts"] if each["name"] == volume]
    return str(path)
