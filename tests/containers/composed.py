"""The compose file under a project name of its own, with ports and secrets of its own."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from pathlib import Path

import yaml

from mesh.embedded.ports import free_ports
from mesh.settings import Settings

_ROOT = Path(__file__).parents[2]
_START_SECONDS = "240"


def docker(*arguments: str) -> str:
    """What a docker command prints."""
    return _output(["docker", *arguments], None)


class Composed:
    """A copy of deploy/ in a folder, run by Compose."""

    def __init__(self, folder: Path) -> None:
        self._deploy = folder / "deploy"
        shutil.copytree(_ROOT / "deploy", self._deploy, ignore=shutil.ignore_patterns("secrets", ".env"))
        shutil.copytree(_ROOT / "contracts", folder / "contracts")
        self.project = f"mesh-test-{secrets.token_hex(4)}"
        kafka, registry, lineage = free_ports(3)
        ports = {"MESH_KAFKA_PORT": str(kafka), "MESH_REGISTRY_PORT": str(registry), "MESH_LINEAGE_PORT": str(lineage)}
        self.lineage = f"http://127.0.0.1:{lineage}"
        self._environment = {**os.environ, **ports, "COMPOSE_PROJECT_NAME": self.project}
        subprocess.run([self._deploy / "secrets.sh"], check=True)
        self._config = self._deploy / "mesh.host.yaml"
        self._point_at(kafka, registry)

    @property
    def settings(self) -> Settings:
        """This mesh as it is seen from outside; the secrets of all its principals are there."""
        return Settings.load(self._config)

    @property
    def config(self) -> Path:
        return self._config

    @property
    def passwords(self) -> list[str]:
        """Everything that must not be seen anywhere."""
        return [path.read_text(encoding="utf-8").strip() for path in (self._deploy / "secrets").iterdir()]

    def compose(self, *arguments: str) -> str:
        """What a Compose command prints; fails with all it said."""
        command = ["docker", "compose", "--file", str(self._deploy / "compose.yaml"), *arguments]
        return _output(command, self._environment)

    def up(self) -> None:
        """Start everything and wait until it is healthy."""
        try:
            self.compose("up", "--detach", "--wait", "--wait-timeout", _START_SECONDS)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.compose('logs', '--tail', '20')}") from None

    def produce(self, service: str) -> None:
        """Run one of the demo's producers to its end."""
        self.compose("--profile", "demo", "run", "--rm", "--no-deps", service)

    def down(self) -> None:
        """Everything away, data included."""
        self.compose("--profile", "demo", "--profile", "lineage", "down", "--volumes", "--timeout", "20")

    def containers(self) -> list[str]:
        """The ids of its containers, running or not."""
        return docker("ps", "--all", "--quiet", *self._mine()).split()

    def networks(self) -> list[str]:
        """The ids of its networks."""
        return docker("network", "ls", "--quiet", *self._mine()).split()

    def _mine(self) -> tuple[str, str]:
        return "--filter", f"label=com.docker.compose.project={self.project}"

    def _point_at(self, kafka: int, registry: int) -> None:
        content = yaml.safe_load(self._config.read_text(encoding="utf-8"))
        content["clusters"]["main"] |= {
            "bootstrap": f"127.0.0.1:{kafka}",
            "registry": f"http://127.0.0.1:{registry}",
        }
        self._config.write_text(yaml.safe_dump(content), encoding="utf-8")


def _output(command: list[str], environment: dict[str, str] | None) -> str:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout[-4000:]}{done.stderr[-4000:]}"
    return done.stdout
