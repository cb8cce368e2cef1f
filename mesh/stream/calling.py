"""The line between the mesh and a user's function: what goes wrong there is said with its place, never its data."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from mesh.errors import MeshError
from mesh.stream.task import ProcessingFailed


@contextmanager
def calling(function: Callable[..., Any], where: object) -> Iterator[None]:
    """Calls a user's function inside; raises ProcessingFailed where it raised anything but an error of the mesh."""
    try:
        yield
    except Exception as error:
        raise failure(function, where, error) from error


def failure(function: Callable[..., Any], where: object, error: Exception) -> MeshError:
    """What to raise for what a user's function raised; an error of the mesh stays what it is."""
    if isinstance(error, MeshError):
        return error
    name = getattr(function, "__name__", "a function")
    frames = traceback.extract_tb(error.__traceback__)
    at = f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return ProcessingFailed(name, str(where), f"{type(error).__name__}{at}")
