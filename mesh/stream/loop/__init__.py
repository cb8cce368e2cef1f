"""The transactional runtime: state, outputs, parents, progress and offsets of a batch in one Kafka transaction."""

from mesh.stream.loop.run import run_loop

__all__ = ["run_loop"]
