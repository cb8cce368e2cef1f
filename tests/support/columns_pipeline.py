"""The function of the pipeline over columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def doubled(batch: Any) -> Any:
    """As many outputs as the amount, of records with a key."""
    useful = batch.filter(pc.and_(pc.greater(batch["amount"], 0), pc.not_equal(batch["key"], "")))
    amounts = useful["amount"].to_numpy()
    at = np.repeat(np.arange(len(amounts)), amounts)
    many = useful.take(pa.array(at))
    count = pa.array(np.arange(len(at)) - np.repeat(amounts.cumsum() - amounts, amounts))
    columns = {
        "mesh-row": many["mesh-row"],
        "key": many["key"],
        "total": pc.multiply(many["amount"], 2),
        "count": count,
    }
    return pa.table(columns)
