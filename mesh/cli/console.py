"""How every command speaks: data on stdout, everything else on stderr, errors in one sentence with an exit code."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import wraps
from typing import Any, ParamSpec, Self, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from mesh.cli.logs import json_logs
from mesh.errors import MeshError

logger = logging.getLogger(__name__)

INTERRUPTED = 130


def stderr() -> Console:
    """The console for people: progress, notes, errors. Colours only on a terminal and without NO_COLOR.

    Where both go to one place, what is said comes behind the data that was printed before it.
    """
    with suppress(BrokenPipeError):  # told when the command ends, as ever
        sys.stdout.flush()
    return Console(stderr=True, highlight=False, soft_wrap=True)


def note(text: str) -> None:
    """Say something to the person at the terminal."""
    stderr().print(text, markup=False)


def emit(text: str) -> None:
    """One line of data on stdout."""
    sys.stdout.write(text + "\n")


def emit_json(value: Any) -> None:
    """One JSON document on stdout."""
    emit(json.dumps(value, indent=2, default=str, ensure_ascii=False))


def emit_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table on stdout; off a terminal the same columns without a frame, tab-separated, so that cut and awk work."""
    if not sys.stdout.isatty():
        emit("\t".join(columns))
        for row in rows:
            emit("\t".join(str(cell) for cell in row))
        return
    table = Table(*columns, header_style="bold")
    for row in rows:
        table.add_row(*(str(cell) for cell in row))
    Console(highlight=False).print(table)


def clear() -> None:
    """Empty the terminal before the next of several pictures; off a terminal nothing."""
    if sys.stdout.isatty():
        Console(highlight=False).clear()


@contextmanager
def progress(title: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A progress bar on stderr; gives a function to advance it. Off a terminal it says only the start and the end."""
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield from _plain_progress(title, total)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=stderr()) as bar:
        task = bar.add_task(title, total=total)
        yield lambda steps: bar.advance(task, steps)


class Bars:
    """Several progress bars at once, on stderr. Off a terminal each is one line when it is complete."""

    def __init__(self) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._live = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._progress = Progress(*columns, console=stderr())
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        if self._live:
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._progress.stop()

    def show(self, title: str, done: int, total: int) -> None:
        """Set one bar; may be called from any thread."""
        if title not in self._tasks:
            self._tasks[title] = self._progress.add_task(title, total=total)
        task = self._tasks[title]
        complete = self._progress.tasks[task].finished
        self._progress.update(task, completed=done, total=total)
        if not self._live and done >= total and not complete:
            note(f"  {title}: {done:,} of {total:,}")


def _plain_progress(title: str, total: int | None) -> Iterator[Callable[[int], None]]:
    done = [0]

    def advance(steps: int) -> None:
        done[0] += steps

    yield advance
    note(f"{title}: {done[0]:,}" + (f" of {total:,}" if total is not None else ""))


def _fail(sentence: str) -> None:
    if json_logs():
        logger.error(sentence)
    else:
        stderr().print(f"error: {sentence}", markup=False, style="red")


P = ParamSpec("P")
T = TypeVar("T")


def told(command: Callable[P, T]) -> Callable[P, T]:
    """Decorate a command: a MeshError becomes one sentence on stderr and its exit code, never a stack trace."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return command(*args, **kwargs)
        except MeshError as error:
            _fail(str(error))
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            note("interrupted")
            raise typer.Exit(INTERRUPTED) from None
        except (typer.Exit, typer.Abort, typer.BadParameter):
            raise
        except Exception as fault:  # the boundary: people get a sentence, whoever debugs the mesh asks for more
            if os.environ.get("MESH_DEBUG"):
                raise
            name = type(fault).__name__
            _fail(f"a fault of the mesh ({name}: {fault}); MESH_DEBUG=1 shows where")
            raise typer.Exit(MeshError.exit_code) from None

    return run
