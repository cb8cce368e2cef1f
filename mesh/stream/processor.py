"""A processor as its author writes it: functions, and the inputs they take."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final, TypeVar, get_args

from mesh.errors import UsageError
from mesh.stream.declared import (
    Aggregated,
    Batched,
    Columnar,
    Each,
    Handler,
    Joined,
    KeyOf,
    OnError,
    Shape,
    TableDeclared,
    Windowed,
)
from mesh.types import ProductName

Function = TypeVar("Function", bound=Callable[..., Any])

_NONE: Final = timedelta()
_PATIENCE: Final = timedelta(seconds=60)
_FEW: Final = 250
_MANY: Final = 4000


class Processor:
    """A program that reads products and publishes a derived one. Its inputs are those of the contract's derivation.

    Each input is given to one function, by ``each``, ``batch``, ``columns``, ``window``, ``aggregate`` or ``join``; the
    other inputs are tables, for ``step.lookup``. Functions are pure: what they give depends on nothing but what they
    are given, and they may be called again for the same record.

    A function that raises, and an output that is not of its schema, stop the processor before the record; with
    ``on_error="park"`` the record is set aside instead, counted as parked, and the rest goes on. A window's function
    always stops it: it has many records.
    """

    def __init__(self, product: str, *, on_error: OnError = "halt") -> None:
        self.product = ProductName.parse(product)
        if on_error not in get_args(OnError):
            raise UsageError(
                f"a processor cannot {on_error!r} on an error; choose one of {', '.join(get_args(OnError))}"
            )
        self.on_error = on_error
        self.handlers: list[Handler] = []
        self.tables: dict[str, TableDeclared] = {}

    def each(self, *products: str) -> Callable[[Function], Function]:
        """Make outputs of every record: ``function(record, step)`` gives None, a record, or several.

        None means that the record is filtered. The parents of an output are the record and all that the step looked up.
        """
        return self._taking(products, lambda function: Each(products, function))

    def batch(self, *products: str, size: int = _FEW) -> Callable[[Function], Function]:
        """As ``each``, for many records in one call: ``function(records, steps)`` gives a list, an entry for each.

        For work that is cheaper together: a model, a vector, a question to a service that takes several. At most
        ``size`` records come at once; what a call of that many takes has to fit well into a transaction (10 s). Batches
        are cut wherever they come, so an entry may depend on its own record and step only.
        """
        return self._taking(products, lambda function: Batched(products, function, _positive(size)))

    def columns(self, *products: str, size: int = _MANY) -> Callable[[Function], Function]:
        """As ``batch``, in Arrow: ``function(batch)`` takes a ``pyarrow.RecordBatch`` and gives one, a table, or None.

        The columns are the fields as they were written, and ``mesh-row``, which says which row each is. Rows of the
        output are made from the row that their ``mesh-row`` names; without that column, from the one in their place. A
        record that retracts its key has nulls in all other fields. ``function(batch, step)`` looks up other products by
        ``step.lookup(product, batch, "column")``, which gives their rows as a batch too. Needs the extra ``arrow``.
        """
        return self._taking(products, lambda function: Columnar(products, function, _positive(size)))

    def window(
        self,
        product: str,
        *,
        key: KeyOf,
        size: timedelta | None = None,
        hop: timedelta | None = None,
        gap: timedelta | None = None,
        lateness: timedelta = _NONE,
        retention: timedelta | None = None,
    ) -> Callable[[Function], Function]:
        """Gather records by key and event time: ``function(key, window, records)`` gives a record or None.

        Windows are tumbling with a ``size``, hopping with a ``hop`` too, sessions with a ``gap``. A window closes when
        the event time of its partition has come ``lateness`` past its end; a record that is later still makes a
        revision of it until ``retention`` (else the size or gap) has passed, and is dropped, and counted as late,
        afterwards. The parents of an output are all records of its window.
        """
        shape = Shape.of(size, hop, gap, lateness, retention)
        return self._taking((product,), lambda function: Windowed(product, key, shape, function))

    def aggregate(self, *products: str, key: KeyOf, start: Callable[[], Any] = dict) -> Callable[[Function], Function]:
        """Fold records into a state per key: ``function(state, record)`` gives the new state, and an output or None.

        An output continues the key's last one: its parents are the records since then.
        """
        return self._taking(products, lambda function: Aggregated(products, key, start, function))

    def join(self, *products: str, key: KeyOf, start: Callable[[], Any] = dict) -> Callable[[Function], Function]:
        """Keep what a function needs per key: ``function(state, record, step)`` changes the state and gives outputs.

        The mesh cannot see which records an output is made from: name them with ``step.derive``.
        """
        return self._taking(products, lambda function: Joined(products, key, start, function))

    def table(
        self,
        product: str,
        *,
        key: KeyOf | None = None,
        lateness: timedelta = _NONE,
        patience: timedelta | None = _PATIENCE,
    ) -> None:
        """Say how an input is looked up, where its contract's key and its order are not enough.

        ``lateness`` is how far its rows come out of event-time order, ``patience`` how long a record waits for a table
        that has nothing more to give (None: for ever).
        """
        self.tables[product] = TableDeclared(product, key, lateness, patience)

    def _taking(self, products: tuple[str, ...], handler: Callable[[Any], Handler]) -> Callable[[Function], Function]:
        if not products:
            raise UsageError(f"a function of {self.product} needs an input; name the product it takes")
        for product in products:
            ProductName.parse(product)
            if any(product in known.products for known in self.handlers):
                raise UsageError(f"{product} is given to two functions of {self.product}; give it to one")

        def declared(function: Function) -> Function:
            self.handlers.append(handler(function))
            return function

        return declared


def _positive(size: int) -> int:
    if size < 1:
        raise UsageError(f"a batch of {size} records holds none; give a size of one or more")
    return size
