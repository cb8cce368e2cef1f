"""A processor bound to its products: which task works on which log. Pure; drivers bring the records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Final

from mesh.consumer.record import Source
from mesh.contract import Contract
from mesh.errors import UsageError
from mesh.producer.encoding import RecordEncoder
from mesh.stream.arrival import Arrival, Changes, Fate, Names, Outcome, Output, Place, Punctuation
from mesh.stream.batches import BatchTask
from mesh.stream.declared import Aggregated, Batched, Columnar, Each, Handler, Joined, Single, Windowed
from mesh.stream.each import EachTask, RouteTask
from mesh.stream.folds import AggregateTask, JoinTask
from mesh.stream.pane import Decode, StoredRecords
from mesh.stream.parking import Parking, ParkingTask
from mesh.stream.processor import Processor
from mesh.stream.scope import Scope
from mesh.stream.tables import Tables
from mesh.stream.task import Task
from mesh.stream.windows import FixedTask, SessionTask, Setting

_NOTHING: Final = Outcome(Fate.USED)


@dataclass(frozen=True, slots=True)
class Input:
    """A product that the processor reads: its public topic, and what makes records of bytes.

    ``source`` is its contract with its schemas, which functions over columns read.
    """

    product: str
    topic: str
    partitions: int
    decode: Decode
    source: Source | None = None


class Engine:
    """Makes the tasks of a processor. Raises UsageError where its functions and its contract do not go together."""

    def __init__(
        self,
        processor: Processor,
        names: Names,
        inputs: Iterable[Input],
        tables: Tables,
        *,
        repartition: bool = False,
        encoded_by: tuple[Contract, RecordEncoder] | None = None,
    ) -> None:
        self._encoded_by = encoded_by
        self._parking = Parking(str(processor.product), encoded_by) if processor.on_error == "park" else None
        self._names, self._tables, self.repartitioned = names, tables, repartition
        self._inputs = {each.product: each for each in inputs}
        self._handlers: dict[str, Handler] = {}
        for handler in processor.handlers:
            self._take(handler, processor)
        if not self._handlers:
            raise UsageError(
                f"{processor.product} has no function; give it one (each, batch, columns, window, aggregate or join)"
            )

    def _take(self, handler: Handler, processor: Processor) -> None:
        for product in handler.products:
            if product not in self._inputs:
                raise UsageError(f"{product} is no input of {processor.product}; add it to the contract's derivation")
            self._handlers[product] = handler
        if len(handler.products) > 1 and not isinstance(handler, Single) and not self.repartitioned:
            raise UsageError(
                f"{' and '.join(handler.products)} meet in one state, so they have to be keyed alike; say "
                f"'repartition: true' in the derivation of {processor.product}"
            )

    @property
    def driving(self) -> frozenset[str]:
        """The products whose records drive outputs; the other inputs are looked up."""
        return frozenset(self._handlers)

    @property
    def batch_records(self) -> int:
        """The most records that one of its functions takes at once."""
        sizes = [each.size for each in self._handlers.values() if isinstance(each, Batched | Columnar)]
        return max(sizes, default=1)

    def routes(self, product: str) -> bool:
        """Whether records of an input go to the repartitioned log, keyed anew."""
        return self.repartitioned and not isinstance(self._handlers[product], Single)

    def task(self, place: Place) -> Task:
        """A new task for a log, without state yet."""
        if place.repartitioned:
            return Fan({each.products: self._made(each, place) for each in self._keyed()})
        handler = self._handlers[place.product]
        if self.routes(place.product) and not isinstance(handler, Single):
            return self._parked(RouteTask(handler.key))
        return self._made(handler, place)

    def scopes(self, place: Place) -> frozenset[Scope]:
        """The parts of the changelog that a log's task keeps."""
        if place.repartitioned:
            return frozenset(Scope.of(each.products, place) for each in self._keyed())
        handler = self._handlers[place.product]
        stateless = isinstance(handler, Single) or self.routes(place.product)
        return frozenset() if stateless else frozenset({Scope.of(handler.products, place)})

    def _keyed(self) -> Sequence[Handler]:
        return [each for each in dict.fromkeys(self._handlers.values()) if not isinstance(each, Single)]

    def _made(self, handler: Handler, place: Place) -> Task:
        return self._single(handler, place) if isinstance(handler, Single) else self._parked(self._kept(handler, place))

    def _kept(self, handler: Windowed | Aggregated | Joined, place: Place) -> Task:
        setting = self._setting(handler, place)
        if isinstance(handler, Windowed):
            return FixedTask(handler, setting) if handler.shape.gap is None else SessionTask(handler, setting)
        if isinstance(handler, Aggregated):
            return AggregateTask(handler, setting)
        return JoinTask(handler, setting)

    def _parked(self, task: Task) -> Task:
        return task if self._parking is None else ParkingTask(task, self._parking)

    def _single(self, handler: Single, place: Place) -> Task:
        if isinstance(handler, Each):
            return self._parked(EachTask(handler, self._tables, self._parking))
        if isinstance(handler, Batched):
            return BatchTask(handler, self._tables, self._parking)
        # Loaded where somebody asks for it: it needs an extra.
        columnar = import_module("mesh.stream.columnar.task")
        source = self._inputs[place.product].source
        if source is None:
            raise UsageError(f"{place.product} has no schemas here; a function over columns needs them")
        encoder = None if self._encoded_by is None else columnar.TableEncoder(*self._encoded_by)
        contracts = {each.product: each.source.contract for each in self._inputs.values() if each.source is not None}
        aids = columnar.Aids(self._tables, contracts, self._parking)
        task: Task = columnar.ColumnsTask(handler, columnar.Reading(source), encoder, aids)
        return task

    def _setting(self, handler: Windowed | Aggregated | Joined, place: Place) -> Setting:
        first = self._inputs[handler.products[0]]
        every = ((each, number) for each in handler.products for number in range(self._inputs[each].partitions))
        sources = tuple(every) if place.repartitioned else ((place.product, place.partition),)
        stored = StoredRecords(first.topic, first.decode)
        scope = Scope.of(handler.products, place)
        return Setting(self._names, scope, sources, stored, place.repartitioned, self._parking)


class Fan:
    """The task of a repartitioned log: each record goes to the function that takes its product."""

    def __init__(self, tasks: Mapping[tuple[str, ...], Task]) -> None:
        self._tasks = {"+".join(products): task for products, task in tasks.items()}
        self._of = {product: task for products, task in tasks.items() for product in products}

    def restore(self, entries: Iterable[tuple[bytes, bytes]]) -> None:
        """Each function takes up its own."""
        parts: dict[str, list[tuple[bytes, bytes]]] = {name: [] for name in self._tasks}
        for key, value in entries:
            parts[Scope.parse(key)[0].name.removeprefix("*")].append((key, value))
        for name, part in parts.items():
            self._tasks[name].restore(part)

    def apply(self, arrival: Arrival) -> Outcome:
        """By the product it came from."""
        return self._of[str(arrival.record.product)].apply(arrival)

    def punctuate(self, punctuation: Punctuation) -> Outcome:
        """By the product it speaks of."""
        task = self._of.get(punctuation.product)
        return _NOTHING if task is None else task.punctuate(punctuation)

    def finish(self) -> Outcome:
        """All of them."""
        outputs: list[Output] = []
        for task in self._tasks.values():
            outputs += task.finish().outputs
        return Outcome(Fate.USED, outputs)

    def changes(self) -> Changes:
        """All of them."""
        changes = Changes()
        for task in self._tasks.values():
            each = task.changes()
            changes.puts += each.puts
            changes.removals += each.removals
        return changes

    def committed(self) -> None:
        """All of them."""
        for task in self._tasks.values():
            task.committed()

    def rolled_back(self) -> None:
        """All of them."""
        for task in self._tasks.values():
            task.rolled_back()

    def watermark(self) -> int | None:
        """The least."""
        marks = [mark for task in self._tasks.values() if (mark := task.watermark()) is not None]
        return min(marks, default=None)
