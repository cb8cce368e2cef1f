"""The ``mesh`` command: one file per verb group; the only place in the library that prints."""

from mesh.cli.app import main

__all__ = ["main"]
