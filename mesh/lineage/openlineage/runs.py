"""The runs of all jobs, folded from declarations, manifests and commits; says which events are due. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mesh.contract import Contract
from mesh.lineage.graph.facts import Declaration
from mesh.lineage.manifest import Manifest
from mesh.lineage.openlineage.events import Event, EventWriter, Run, Surroundings
from mesh.lineage.openlineage.names import Naming
from mesh.lineage.openlineage.window import MINUTE_MS, Job, Window
from mesh.lineage.progress import Progress
from mesh.types import ProductName, ProductTopics, Topic

GRACE_MS = 5_000
"""How long after its end a minute is closed: partitions are read one after the other."""


@dataclass(slots=True)
class _Going:
    """A run that goes on, the last minute it told of, and the stops that have ended an earlier run of its job."""

    run: Run
    minute: int


@dataclass(slots=True)
class _Known:
    """Contracts by topic and version, and what is in force."""

    editions: dict[tuple[Topic, str], Contract] = field(default_factory=dict)
    latest: dict[Topic, Declaration] = field(default_factory=dict)

    def declare(self, declaration: Declaration) -> None:
        self.editions[declaration.topic, declaration.contract.version] = declaration.contract
        known = self.latest.get(declaration.topic)
        if known is None or known.at <= declaration.at:
            self.latest[declaration.topic] = declaration

    def contract(self, product: ProductName) -> Contract | None:
        majors = [each.contract for each in self.latest.values() if each.contract.product == product]
        return max(majors, key=lambda each: each.major, default=None)

    def edition(self, topic: Topic, version: str) -> Contract | None:
        return self.editions.get((topic, version))

    def version(self, topic: Topic) -> str:
        latest = self.latest.get(topic)
        return latest.contract.version if latest else ""


def declared_events(contracts: Iterable[Contract], naming: Callable[[str], Naming], at: int) -> list[Event]:
    """A job event for the gate of each product and for the processor of each derived one, as of ``at``."""
    known = _Known()
    for each in contracts:
        known.declare(Declaration(at, each))
    writer = EventWriter(Surroundings(naming, known.contract, known.edition))
    jobs = [Job(topic) for topic in known.latest]
    derived = ((topic, each.contract.derivation) for topic, each in known.latest.items())
    jobs += [Job(topic, derivation.processor) for topic, derivation in derived if derivation is not None]
    return [writer.declaration(job, known.version(job.topic), at) for job in sorted(jobs)]


class Runs:
    """One fold over one mesh. Records may come in any order within the minutes that are not told yet."""

    def __init__(self, naming: Callable[[str], Naming]) -> None:
        self._known = _Known()
        self._writer = EventWriter(Surroundings(naming, self._known.contract, self._known.edition))
        self._windows: dict[tuple[Job, int, str, str], Window] = {}
        self._going: dict[Job, _Going] = {}
        self._failed: set[tuple[Job, int, int]] = set()
        self._retired: dict[Topic, int] = {}

    def declare(self, declaration: Declaration) -> None:
        """A contract came into force."""
        self._known.declare(declaration)
        if declaration.retired:
            self._retired[declaration.topic] = declaration.at
        else:
            self._retired.pop(declaration.topic, None)

    def manifest(self, lineage: str, manifest: Manifest) -> None:
        """One transaction of a gate, read from the topic ``lineage``."""
        job = Job(ProductTopics.of_any(lineage).public)
        basis = manifest.basis
        self._window(job, manifest.created_at, basis.contract_version, basis.build).manifest(manifest)

    def progress(self, parents: str, progress: Progress) -> None:
        """One commit of a processor, read from the topic ``parents``."""
        job = Job(ProductTopics.of_any(parents).public, progress.processor)
        source = self._known.contract(ProductName.parse(progress.product))
        topic = source.topics.public if source else Topic(progress.product)
        version = self._known.version(job.topic)
        self._window(job, progress.created_at, version, progress.build).progress(progress, topic)

    def due(self, now: int) -> list[Event]:
        """The events of the minutes that are over at ``now``, epoch milliseconds, oldest first; each is given once."""
        minute = (now - GRACE_MS) // MINUTE_MS
        ready = sorted(
            (each for each in self._windows.values() if each.minute < minute), key=lambda each: (each.started, each.job)
        )
        events: list[Event] = []
        for window in ready:
            del self._windows[window.job, window.minute, window.version, window.build]
            events += self._told(window)
        events += self._ended(now)
        return events + list(self._idle(minute - 1))

    def _window(self, job: Job, at: int, version: str, build: str) -> Window:
        key = job, at // MINUTE_MS, version, build
        if key not in self._windows:
            self._windows[key] = Window(job, key[1], version, build)
        return self._windows[key]

    def _told(self, window: Window) -> Iterator[Event]:
        going = self._going.get(window.job)
        same = going is not None and (going.run.version, going.run.build) == (window.version, window.build)
        if going is not None and not same:
            yield self._end("COMPLETE", going, window.started)
            going = None
        if going is None:
            run = Run(window.job, window.version, window.build, window.started)
            going = self._going[window.job] = _Going(run, window.minute)
            yield self._writer.event("START", run, window.started, _nothing(window))
        going.minute = max(going.minute, window.minute)
        new = {at: stop for at, stop in window.stops.items() if (window.job, at, stop.since) not in self._failed}
        if new:
            self._failed |= {(window.job, at, stop.since) for at, stop in new.items()}
            told = "; ".join(f"partition {at} stands still: {stop.reason}" for at, stop in sorted(new.items()))
            yield self._writer.event("FAIL", going.run, window.ended, window, told)
            del self._going[window.job]
            return
        yield self._writer.event("RUNNING", going.run, window.ended, window)

    def _ended(self, now: int) -> Iterator[Event]:
        """The last events of the jobs of retired products."""
        for job, going in sorted(self._going.items()):
            at = self._retired.get(job.topic)
            if at is not None and at <= now:
                yield self._end("COMPLETE", going, max(at, going.run.started))
                del self._going[job]

    def _idle(self, minute: int) -> Iterator[Event]:
        """A snapshot of those that had nothing to do in the last minute: silence would look like an end."""
        for _, going in sorted(self._going.items()):
            if going.minute < minute:
                going.minute = minute
                idle = Window(going.run.job, minute, going.run.version, going.run.build)
                yield self._writer.event("RUNNING", going.run, (minute + 1) * MINUTE_MS, idle)

    def _end(self, kind: str, going: _Going, at: int) -> Event:
        last = Window(going.run.job, at // MINUTE_MS, going.run.version, going.run.build)
        return self._writer.event(kind, going.run, at, last)

    def state(self) -> dict[str, Any]:
        """What a later fold needs to go on with the same runs, as JSON."""
        going = [
            [
                each.run.job.topic,
                each.run.job.processor,
                each.run.version,
                each.run.build,
                each.run.started,
                each.minute,
            ]
            for each in self._going.values()
        ]
        failed = [[job.topic, job.processor, partition, since] for job, partition, since in sorted(self._failed)]
        return {"going": going, "failed": failed}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what ``state`` gave."""
        for topic, processor, version, build, started, minute in state.get("going", ()):
            job = Job(Topic(topic), processor)
            self._going[job] = _Going(Run(job, version, build, started), minute)
        for topic, processor, partition, since in state.get("failed", ()):
            self._failed.add((Job(Topic(topic), processor), partition, since))


def _nothing(window: Window) -> Window:
    """The same job before anything was counted: its inputs and outputs are told all the same."""
    return Window(window.job, window.minute, window.version, window.build, sources=window.sources)
