"""A Faust program under test, run in a process of its own: python -m tests.support.faust_worker KIND PRODUCT INPUT."""

from __future__ import annotations

import asyncio
import sys
from argparse import ArgumentParser, Namespace
from dataclasses import replace
from typing import Any

from mesh import Mesh, MeshError, Record

PAUSE = 0.005
PARTNERS = 7


def number(record: Record) -> int:
    """What a reading is known by in these tests."""
    assert record.value is not None
    found: int = round(record.value["speed"] * 1000)
    return found


def reading(record: Record, index: int = 0) -> dict[str, Any]:
    """An output that says which input it was made from, and which of its outputs it is."""
    assert record.value is not None
    return {"station": record.value["station"], "speed": record.value["speed"], "of": number(record), "part": index}


def mixed(app: Any, options: Namespace) -> None:
    """Every way of sending, by the number of the record: 0 filtered, 1 sink, 2 two outputs, 3 send_soon, 4 forward, 5
    derive with the first record of its partition."""

    @app.agent(app.input(options.input), sink=[app.output])
    async def agent(stream: Any) -> Any:
        async for record in stream.filter(lambda each: number(each) % 6 != 0):
            kind = number(record) % 6
            if number(record) == options.fail:
                raise KeyError("a program's own error")
            await asyncio.sleep(options.pause)
            if kind == 1:
                yield reading(record)
            elif kind == 2:
                for index in range(2):
                    await app.output.send(value=reading(record, index))
            elif kind == 3:
                app.output.send_soon(value=reading(record))
            elif kind == 4:
                await stream.current_event.forward(app.output)
            else:
                first = replace(record, coordinate=record.coordinate._replace(offset=0))
                with app.derive(first, record):
                    await app.output.send(value=reading(record))


def keyed(app: Any, options: Namespace) -> None:
    """Keys every record anew, and makes two outputs of each afterwards."""

    @app.agent(app.input(options.input), sink=[app.output])
    async def agent(stream: Any) -> Any:
        grouped = stream.group_by(lambda record: f"key-{number(record) % 5}", name="five", topic=app.repartition)
        async for record in grouped:
            yield reading(record)
            yield reading(record, 1)


def taken(app: Any, options: Namespace) -> None:
    """Takes several records at once; with --fail it does not say whose output it sends."""

    @app.agent(app.input(options.input))
    async def agent(stream: Any) -> None:
        async for records in stream.take(PARTNERS, within=1.0):
            if options.fail is None:
                with app.derive(*records):
                    await app.output.send(value=reading(records[-1]))
            else:
                await app.output.send(value=reading(records[-1]))


KINDS = {"mixed": mixed, "keyed": keyed, "taken": taken}


def main() -> int:
    """Run the program as its options say."""
    parser = ArgumentParser()
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("product")
    parser.add_argument("input")
    parser.add_argument("--fail", type=int)
    parser.add_argument("--pause", type=float, default=0.0)
    parser.add_argument("--on-error", default="halt")
    parser.add_argument("--until-end", action="store_true")
    options = parser.parse_args()
    with Mesh.connect() as mesh:
        app = mesh.faust(options.product, on_error=options.on_error)
        KINDS[options.kind](app, options)
        try:
            app.run(until_end=options.until_end)
        except MeshError as error:
            sys.stderr.write(f"{error}\n")
            return error.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
