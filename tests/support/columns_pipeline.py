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


def priced(case: Case, rates: str) -> Any:
    """As many outputs as the amount, at the rate of the event's time."""

    def function(batch: Any, step: Any) -> Any:
        amounts = batch["amount"].to_pylist()
        if any(each in case.breaks for each in amounts):
            raise ValueError(f"a secret {amounts}")
        useful = _useful(batch.filter(batch["at"].is_valid()))
        found = step.lookup(rates, useful, "key", asof="at")
        made = _repeated(useful.append_column("total", pc.fill_null(found["amount"], -1)))
        wrong = pc.is_in(made["amount"], pa.array(case.refused, pa.int64()))
        made = made.set_column(made.schema.get_field_index("total"), "total", pc.if_else(wrong, None, made["total"]))
        return made.drop_columns(["amount"])

    return function


def _doubled(batch: Any) -> Any:
    """As many outputs as the amount, of records with a key."""
    useful = _useful(batch)
    return _repeated(useful.append_column("total", pc.multiply(useful["amount"], 2))).drop_columns(["amount"])


def _useful(batch: Any) -> Any:
    return batch.filter(pc.and_(pc.greater(batch["amount"], 0), pc.not_equal(batch["key"], "")))


def _repeated(useful: Any) -> Any:
    amounts = useful["amount"].to_numpy()
    at = np.repeat(np.arange(len(amounts)), amounts)
    many = useful.take(pa.array(at))
    count = pa.array(np.arange(len(at)) - np.repeat(amounts.cumsum() - amounts, amounts))
    names = ("mesh-row", "key", "total")
    return pa.table({name: many[name] for name in names} | {"count": count, "amount": many["amount"]})
