"""Programs with the lineage left out of them: nothing captured, no header, no manifest, no progress record."""

from __future__ import annotations

from typing import Any

from mesh.gate import routing
from mesh.gate.observation import Observation
from mesh.gate.step import GateStep
from mesh.stream import emission
from mesh.stream.faust import bridge, topic
from mesh.stream.loop.step import ProcessorStep

Patch = tuple[Any, str, Any]


def gate() -> None:
    """A gate that judges and routes, and keeps no account of it; on products no other gate has served or will."""
    _apply(
        (routing, "layouts_of", lambda *_: b""),
        (Observation, "saw", lambda *_: None),
        (GateStep, "_describe", lambda *_: None),
    )


def loop() -> None:
    """A processor on the transactional loop."""
    _apply(
        (emission.Emitter, "deposit", lambda *_: None),
        (emission.Emitter, "_headers", lambda *_: ()),
        (ProcessorStep, "_tell_progress", lambda *_: None),
    )


def faust() -> None:
    """A processor on Faust; who drives an output still says where it goes."""

    async def nothing(*_: Any) -> None:
        """Nobody is told."""

    async def as_it_is(_: Any, descent: Any, write: Any) -> Any:
        return descent

    _apply(
        (bridge.Bridge, "_tell", nothing),
        (bridge.Bridge, "deposit", as_it_is),
        (topic, "header_of", lambda _: {}),
    )


def _apply(*patches: Patch) -> None:
    for owner, name, instead in patches:
        if not hasattr(owner, name):
            raise AttributeError(f"{owner} has no {name}; what is measured has changed")
        setattr(owner, name, instead)
