"""The line between the mesh and a user's function: what goes wrong there is said with its place, never its data."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from mesh.errors import EncodingRefused, MeshError
from mesh.stream.task import ProcessingFailed, WindowFailed


@contextmanager
def calling(
    function: Callable[..., Any], where: object, kind: type[ProcessingFailed] = ProcessingFailed
) -> Iterator[None]:
    """Calls a user's function inside; raises ``kind`` where it raised anything but an error of the mesh."""
    try:
        yield
    except Exception as error:
        raise failure(function, where, error, kind) from error


def failure(
    function: Callable[..., Any], where: object, error: Exception, kind: type[ProcessingFailed] = ProcessingFailed
) -> MeshError:
    """What to raise for what a user's function raised; an error of the mesh stays what it is.

    Except for an encoding that a window's function was refused: that is no record's either.
    """
    if isinstance(error, MeshError) and not (kind is WindowFailed and isinstance(error, EncodingRefused)):
        return error
    return kind(getattr(function, "__name__", "a function"), str(where), told(error))


def told(error: BaseException) -> str:
    """The class of an error and the line that raised it, never its text, which may hold values."""
    frames = traceback.extract_tb(error.__traceback__)
    at = f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{at}"
