"""What a supervisor says about the processes it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Running:
    """One service: ``pid`` is None between a death and the restart."""

    name: str
    pid: int | None
    ports: tuple[int, ...]
    restarts: int
    log: str


@dataclass(frozen=True, slots=True)
class State:
    """A supervisor and its services, in the order they were started."""

    pid: int
    ready: bool
    services: tuple[Running, ...]

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> State:
        """Read the JSON form; raises KeyError or TypeError for anything else."""
        services = tuple(Running(**{**each, "ports": tuple(each["ports"])}) for each in content["services"])
        return cls(content["pid"], content["ready"], services)
