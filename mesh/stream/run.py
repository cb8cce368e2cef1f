"""Running a bound processor on the runtime that was asked for."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from mesh.errors import UsageError
from mesh.stream.binding import RUNTIMES, Binding, Running, Tally, Told
from mesh.stream.loop import run_loop


def run(binding: Binding, running: Running, stopping: Callable[[], bool], told: Told) -> Tally:
    """Run until ``stopping()`` or the end; raises UsageError for a runtime there is none of."""
    if running.finish and not running.until_end:
        raise UsageError("finish closes what is open where the inputs end; it goes with until_end")
    if running.before is not None and (running.finish or not running.until_end):
        raise UsageError("before says where a run until the end stops; it goes with until_end, and not with finish")
    if running.runtime == "loop":
        return run_loop(binding, running, stopping, told)
    if running.runtime == "faust":
        # Loaded where somebody asks for it: it needs an extra, and takes a second.
        found: Tally = import_module("mesh.stream.faust.driver").run_faust(binding, running, stopping, told)
        return found
    raise UsageError(f"there is no runtime {running.runtime!r}; choose one of {', '.join(RUNTIMES)}")
