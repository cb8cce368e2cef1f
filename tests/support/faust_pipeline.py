"""A generated pipeline on Faust, for a process of its own: its case, its product, and the products it reads."""

from __future__ import annotations

import asyncio
import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from mesh import Mesh
from mesh.stream.faust.driver import Driver
from tests.support.pipelines import Case, processor_of


def as_text(case: Case) -> str:
    """A pipeline without its records."""
    return json.dumps(asdict(case) | {"events": [], "rates": []})


def slow_down(seconds: float) -> None:
    """Make every record take time, so that a kill comes in the middle."""
    process = Driver._process

    async def slowly(self: Driver, *arguments: Any) -> None:
        await asyncio.sleep(seconds)
        await process(self, *arguments)

    Driver._process = slowly  # type: ignore[method-assign, assignment]


def main() -> None:
    """Run the pipeline that the options describe."""
    parser = ArgumentParser()
    parser.add_argument("case")
    parser.add_argument("products", nargs=3)
    parser.add_argument("--pause", type=float, default=0.0)
    options = parser.parse_args()
    slow_down(options.pause)
    with Mesh.connect() as mesh:
        mesh.process(processor_of(Case(**json.loads(options.case)), *options.products), runtime="faust", until_end=True)


if __name__ == "__main__":
    main()
