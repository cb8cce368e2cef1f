"""``mesh demo``: the whole way through the mesh on real data, counted and checked."""

from mesh.cli.demo.command import demo

__all__ = ["demo"]
