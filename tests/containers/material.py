"""What the files in docker/ say: services, pods and units, with their command lines and environments."""

import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import yaml

DOCKER = Path(__file__).resolve().parents[2] / "docker"
COMPOSE = {
    name: yaml.safe_load((DOCKER / name).read_text(encoding="utf-8"))
    for name in ("compose.yaml", "compose.dev.yaml")
}
SYSTEMD = sorted((DOCKER / "systemd").glob("*.service"))
KUBERNETES = sorted((DOCKER / "kubernetes").iterdir())
CRON = DOCKER / "cron" / "osdetect"
_PROGRAM = "/opt/osdetect/bin/osdetect "


class Entrypoint(msgspec.Struct, frozen=True):
    """A command line as it stands in a file, with what its environment says beside it."""

    place: str
    words: tuple[str, ...]
    environment: Mapping[str, str]

    @property
    def user(self) -> str:
        """As whom it asks the cluster; empty where nobody is asked who it is."""
        return self.environment.get("OSDETECT_USERNAME", "")


def entrypoints() -> Iterator[Entrypoint]:
    """Every place that runs osdetect."""
    for file, compose in COMPOSE.items():
        for name, service in compose["services"].items():
            if str(service["image"]).startswith("osdetect:") and "entrypoint" not in service:
                yield Entrypoint(f"{file}:{name}", tuple(service["command"]), service["environment"])
    for path in KUBERNETES:
        for document in yaml.safe_load_all(path.read_text(encoding="utf-8")):
            for container in pod(document)["containers"] if "template" in str(document) else ():
                named = {one["name"]: one["value"] for one in container["env"]}
                yield Entrypoint(path.name, tuple(map(str, container["args"])), named)
    for path in SYSTEMD:
        text = path.read_text(encoding="utf-8")
        settings = dict(re.findall(r"(?m)^Environment=(\w+)=(.*)$", text))
        (line,) = re.findall(rf"(?m)^ExecStart={_PROGRAM}(.*)$", text)
        yield Entrypoint(path.name, tuple(shlex.split(line.replace("%i", "9464"))), settings)
    lines = CRON.read_text(encoding="utf-8").splitlines()
    settings = dict(line.split("=", 1) for line in lines if line.startswith("OSDETECT_"))
    for number, line in enumerate(line for line in lines if _PROGRAM in line):
        yield Entrypoint(f"cron:{number}", tuple(shlex.split(line.partition(_PROGRAM)[2])), settings)


def pod(document: dict[str, Any]) -> dict[str, Any]:
    """The pod that a Deployment, a Job or a CronJob makes."""
    spec = document["spec"].get("jobTemplate", document)["spec"]
    made: dict[str, Any] = spec["template"]["spec"]
    return made
