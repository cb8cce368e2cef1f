"""Programs with the lineage left out of them: nothing captured, no header, no manifest, no progress record."""

from __future__ import annotations

from pkgutil import resolve_name
from typing import Any

Patch = tuple[str, str, Any]
"""Whose attribute (by name, so that nobody loads what he does not run), which one, and what takes its place."""


def gate() -> None:
    """A gate that judges and routes, and keeps no account of it; on products no other gate has served or will."""
    _apply(
        ("mesh.gate.routing", "layouts_of", lambda *_: b""),
        ("mesh.gate.observation:Observation", "saw", lambda *_: None),
        ("mesh.gate.step:GateStep", "_describe", lambda *_: None),
    )


def loop() -> None:
    """A processor on the transactional loop."""
    _apply(
        ("mesh.stream.emission:Emitter", "deposit", lambda *_: None),
        ("mesh.stream.emission:Emitter", "_headers", lambda *_: ()),
        ("mesh.stream.loop.step:ProcessorStep", "_tell_progress", lambda *_: None),
    )


def faust() -> None:
    """A processor on Faust; who drives an output still says where it goes."""

    async def nothing(*_: Any) -> None:
        """Nobody is told."""

    async def as_it_is(_: Any, descent: Any, write: Any) -> Any:
        return descent

    _apply(
        ("mesh.stream.faust.bridge:Bridge", "_tell", nothing),
        ("mesh.stream.faust.bridge:Bridge", "deposit", as_it_is),
        ("mesh.stream.faust.topic", "header_of", lambda _: {}),
    )


def _apply(*patches: Patch) -> None:
    for place, name, instead in patches:
        owner = resolve_name(place)
        if not hasattr(owner, name):
            raise AttributeError(f"{place} has no {name}; what is measured has changed")
        setattr(owner, name, instead)
