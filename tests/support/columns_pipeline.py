"""The function of the pipeline over columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tests.support.pipelines import Case


def doubled(case: Case) -> Any:
    """Fails where a record of the batch has an amount that breaks."""

    def function(batch: Any) -> Any:
        amounts = batch["amount"].to_pylist()
        if any(each in case.breaks for each in amounts):
            raise ValueError(f"a secret {amounts}")
        made = _doubled(batch)
        if not case.refused:
            return made
        wrong = pc.is_in(made["total"], pa.array([2 * each for each in case.refused]))
        return made.set_column(2, "total", pc.if_else(wrong, None, made["total"]))

    return function


def _doubled(batch: Any) -> Any:
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
