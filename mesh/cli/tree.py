"""A command tree that imports a command when it is asked for: ``mesh --version`` needs neither Kafka nor NumPy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup


class Commands(MutableMapping[str, Any]):
    """The framework's commands by name, each imported from ``module:attribute``: a function or a ``typer.Typer``."""

    def __init__(self, places: Mapping[str, str]) -> None:
        self._places = places
        self._known: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._known:
            self._known[name] = _imported(name, self._places[name])
        return self._known[name]

    def __contains__(self, name: object) -> bool:
        return name in self._places or name in self._known

    def __iter__(self) -> Iterator[str]:
        return iter({**self._places, **self._known})

    def __len__(self) -> int:
        return len({**self._places, **self._known})

    def __setitem__(self, name: str, command: Any) -> None:
        self._known[name] = command

    def __delitem__(self, name: str) -> None:
        del self._known[name]


def group_of(places: Mapping[str, str]) -> type[TyperGroup]:
    """The class of a group with these commands, for ``typer.Typer(cls=...)``."""

    class Tree(TyperGroup):
        def __init__(self, **settings: Any) -> None:
            super().__init__(**settings)
            self.commands = Commands(places)

    return Tree


def _imported(name: str, place: str) -> Any:
    module, _, attribute = place.partition(":")
    found = getattr(import_module(module), attribute)
    command = typer.main.get_group(found) if isinstance(found, typer.Typer) else _single(name, found)
    command.name = name
    return command


def _single(name: str, function: Callable[..., object]) -> Any:
    alone = typer.Typer(add_completion=False)
    alone.command(name)(function)
    return typer.main.get_command(alone)
