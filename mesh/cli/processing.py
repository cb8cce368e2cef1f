"""The conduct of a program that runs a processor: its arguments, signals, progress, and how it ends."""

from __future__ import annotations

import json
import signal
import sys
import time
from argparse import ArgumentParser, Namespace
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from mesh.cli.console import INTERRUPTED, note
from mesh.connection import Mesh
from mesh.errors import MeshError
from mesh.kafka import Leaving
from mesh.stream import Processor as Declared
from mesh.stream.binding import RUNTIMES, Runtime, Tally

_EVERY_SECONDS: Final = 1.0


class Processor(Declared):
    """A program that reads products and publishes a derived one, with the parents of every record.

    ::

        delays = Processor("punctuality.delays")

        @delays.each("operations.flights")
        def delay(flight, step):
            weather = step.lookup("weather.observations", flight.value["origin"], asof=flight.event_time)
            ...

        if __name__ == "__main__":
            delays.main()

    Inputs are those of the contract's derivation. Each is given to one function, by ``each``, ``window``, ``aggregate``
    or ``join``; the others are tables, for ``step.lookup``.
    """

    def run(self, mesh: Mesh, **options: Any) -> Tally:
        """Run in this process; the options and errors are those of ``Mesh.process``."""
        return mesh.process(self, **options)

    def main(self, arguments: list[str] | None = None, *, runtime: Runtime = "loop") -> None:
        """The whole program: ends with exit code 0 when its work is done or SIGTERM came, 130 on Ctrl-C.

        Once told to, it is gone within five seconds; with exit code 6 when Kafka did not answer in that time.
        ``runtime`` is what runs it where ``--runtime`` does not say.
        An error of the mesh ends it with one sentence on stderr and the error's exit code.
        """
        options = _parsed(str(self.product), arguments, runtime)
        leaving = Leaving.listen()
        progress = _Progress(str(self.product), options.progress)
        try:
            with Mesh.connect(options.config) as mesh:
                tally = self.run(
                    mesh,
                    runtime=options.runtime,
                    ordinal=options.ordinal,
                    until_end=options.until_end or options.finish or options.before is not None,
                    finish=options.finish,
                    before=options.before,
                    stopping=leaving.asked.is_set,
                    told=progress.tell,
                )
        except MeshError as error:
            note(f"error: {error}")
            raise SystemExit(error.exit_code) from None
        progress.end(tally)
        if leaving.signal == signal.SIGINT:
            raise SystemExit(INTERRUPTED)


class _Progress:
    def __init__(self, product: str, form: str) -> None:
        self._product, self._form, self._told_at = product, form, time.monotonic()

    def tell(self, tally: Tally) -> None:
        """Once a second at most."""
        if time.monotonic() - self._told_at >= _EVERY_SECONDS:
            self.end(tally)

    def end(self, tally: Tally) -> None:
        """In any case."""
        self._told_at = time.monotonic()
        counts = asdict(tally)
        if self._form == "json":
            sys.stderr.write(json.dumps({"product": self._product} | counts) + "\n")
            sys.stderr.flush()
        else:
            note(f"{self._product}: " + ", ".join(f"{count:,} {name}" for name, count in counts.items()))


def _parsed(product: str, arguments: list[str] | None, runtime: Runtime) -> Namespace:
    parser = ArgumentParser(description=f"Makes {product} from its inputs, until SIGTERM or Ctrl-C.")
    parser.add_argument("--config", type=Path, metavar="FILE", help="mesh.yaml; else the usual places")
    parser.add_argument("--runtime", choices=RUNTIMES, default=runtime, help=f"what runs it (default: {runtime})")
    parser.add_argument(
        "--ordinal", type=int, default=0, metavar="N", help="this process's number; one live owner each"
    )
    parser.add_argument("--until-end", action="store_true", help="stop when what the inputs hold now is dealt with")
    parser.add_argument("--finish", action="store_true", help="and close what is open then: the inputs end there")
    parser.add_argument(
        "--before", type=_moment, metavar="TIME", help="stop at records of this time (ISO 8601) or later"
    )
    parser.add_argument("--progress", choices=["json", "text"], default="text", help="how progress is told, on stderr")
    return parser.parse_args(arguments)


def _moment(text: str) -> datetime:
    """UTC where no zone is named; raises ValueError, which the parser tells."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
