"""A processor as a program of its own, slow enough to be killed: ``CASE PRODUCT EVENTS RATES [options]``."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace
from functools import wraps
from typing import Any

from mesh import Processor
from tests.support.pipelines import Case, declare


def slowed(pause: float) -> Any:
    """What to wrap a function of records with: a pause for each record, taken for a hundred at once or for a batch."""
    count = 0

    def tick(function: Any) -> Any:
        @wraps(function)
        def counted(given: Any, *more: Any) -> Any:
            nonlocal count
            size = len(given) if hasattr(given, "__len__") else 1
            count += size
            if size > 1 or count % 100 == 0:
                time.sleep(pause * (size if size > 1 else 100))
            return function(given, *more)

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
        part = "key" if hasattr(handler, "key") else "function"
        made.handlers[number] = replace(handler, **{part: tick(getattr(handler, part))})


if __name__ == "__main__":
    main(sys.argv[1:])
