"""The steps that are measured, as programs: ``STEP PRODUCT INPUT``; ``bare`` ones leave the lineage out."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks import bare
from mesh import Mesh, Processor


def mapped(record: Any, _: Any = None) -> dict[str, Any]:
    """One output for every record."""
    value = record.value
    return {"key": value["key"], "total": value["amount"] * 2, "count": 1, "at": value["at"]}


def mapped_columns(batch: Any) -> Any:
    """The same for a batch of Arrow columns."""
    total = pc.multiply(batch["amount"], 2)
    count = pa.array(np.ones(batch.num_rows, np.int32))
    return pa.table({"key": batch["key"], "total": total, "count": count, "at": batch["at"]})


def hour(key: str, window: Any, records: list[Any]) -> dict[str, Any]:
    """Sum and count of an hour and key."""
    amounts = [record.value["amount"] for record in records]
    return {"key": key, "total": sum(amounts), "count": len(amounts), "at": window.start}


def on_loop(step: str, product: str, source: str) -> None:
    """Until it is ended."""
    made = Processor(product)
    if step == "window":
        size = timedelta(hours=1)
        made.window(source, key=lambda record: record.value["key"], size=size, retention=timedelta())(hour)  # type: ignore[index]
    elif step == "columns":
        made.columns(source)(mapped_columns)
    else:
        made.each(source)(mapped)
    if step == "bare":
        bare.loop()
    made.main([])


def on_faust(product: str, source: str) -> None:
    """The same map on Faust, with its parents, until it is ended."""
    with Mesh.connect() as mesh:
        app = mesh.faust(product)

        async def agent(stream: Any) -> Any:
            async for record in stream:
                yield mapped(record)

        app.agent(app.input(source), sink=[app.output])(agent)
        app.run()


def main() -> None:
    """Run as ``python -m benchmarks.processors``."""
    step, product, source = sys.argv[1:]
    if step == "bare-faust":
        bare.faust()
    if step.endswith("faust"):
        on_faust(product, source)
    else:
        on_loop(step, product, source)


if __name__ == "__main__":
    main()
