"""A processor as a program of its own, slow enough to be killed: ``CASE PRODUCT EVENTS RATES [options]``."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from mesh import Processor
from tests.support.pipelines import Case, declare


def slowed(pause: float) -> Any:
    """What to wrap a key function with: a pause every hundred records."""
    count = 0

    def tick(key: Any) -> Any:
        def counted(record: Any) -> Any:
            nonlocal count
            count += 1
            if count % 100 == 0:
                time.sleep(pause * 100)
            return key(record)

        return counted

    return tick


def main(arguments: list[str]) -> None:
    """Run the pipeline of a case given as JSON."""
    fields, product, events, rates, *options = arguments
    given = json.loads(fields)
    pause = given.pop("pause", 0.0)
    made = declare(Processor(product), Case(events=(), **given), events, rates)
    if pause:
        _slow(made, pause)
    made.main(options)


def _slow(made: Processor, pause: float) -> None:
    tick = slowed(pause)
    for number, handler in enumerate(made.handlers):
        if hasattr(handler, "key"):
            made.handlers[number] = type(handler)(
                **{name: getattr(handler, name) for name in handler.__dataclass_fields__} | {"key": tick(handler.key)}
            )


if __name__ == "__main__":
    main(sys.argv[1:])
