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
    except MeshError:
        raise
    except Exception as error:
        name = getattr(function, "__name__", "a function")
        frames = traceback.extract_tb(error.__traceback__)
        at = f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
        raise ProcessingFailed(name, str(where), f"{type(error).__name__}{at}") from error
