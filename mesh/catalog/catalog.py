"""The authoritative register of a cluster's products, folded from the catalog topics of its domains."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from types import TracebackType
from typing import Self

from mesh.access import is_catalog
from mesh.catalog.entries import Entry
from mesh.contract import Contract
from mesh.errors import ContractInvalid
from mesh.kafka import Admin, Connection, LogTail, Message, Producer
from mesh.types import ProductName, Topic, TopicPartition

# Domains appear seldom; the names of all topics are too much to ask for at every poll of a gate.
_LISTING_SECONDS = 1.0


class Catalog:
    """The applied contracts of one cluster. Not for use by two threads at once.

    Reading is an incremental fold: ``refresh`` fetches only what was written since, so it can be called every second.
    """

    def __init__(self, connection: Connection, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.revision = 0
        """Grows with every change that ``refresh`` has seen; compare it to know whether anything is new."""
        self._connection = connection
        self._admin = Admin(connection)
        self._monotonic = monotonic
        self._listed_at = float("-inf")
        self._tail: LogTail | None = None
        self._entries: dict[Topic, Entry] = {}
        self._contracts: dict[Topic, Contract] = {}
        self._unreadable: dict[Topic, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        if self._tail is not None:
            self._tail.close()
            self._tail = None

    def refresh(self, *, relist: bool = False) -> int:
        """Read what was written since the last call and give the revision.

        New domains are looked for at most once a second, at once with ``relist``. Raises BrokerUnreachable,
        NotAuthorised and DeadlineExceeded.
        """
        now = self._monotonic()
        if relist or now - self._listed_at >= _LISTING_SECONDS:
            self._follow_new()
            self._listed_at = now
        if self._tail is not None:
            for message in self._tail.catch_up():
                self._fold(message)
            self._tail.rest()
        return self.revision

    def entries(self) -> Mapping[Topic, Entry]:
        """Every entry by public topic, retired ones too."""
        return dict(self._entries)

    def live(self) -> Mapping[Topic, Contract]:
        """Every contract that is in force, by public topic; a product can have two live majors."""
        self._read()
        return {topic: contract for topic, contract in self._contracts.items() if not self._entries[topic].retired}

    @property
    def unreadable(self) -> Mapping[Topic, str]:
        """Entries this version of the mesh cannot read, with the reason; they never stop the other products."""
        self._read()
        return dict(self._unreadable)

    def contracts(self) -> dict[ProductName, Contract]:
        """The contract of each product in force; the newest major where two are live."""
        live = sorted(self.live().values(), key=lambda contract: contract.major)
        return {contract.product: contract for contract in live}

    def contract(self, product: ProductName) -> Contract | None:
        """The contract of one product in force, its newest major; reads no other document."""
        mine = [topic for topic, each in self._entries.items() if each.product == str(product) and not each.retired]
        self._read(mine)
        found = (self._contracts[topic] for topic in mine if topic in self._contracts)
        return max(found, key=lambda contract: contract.major, default=None)

    def entry(self, product: ProductName) -> Entry | None:
        """The entry of a product's newest major, or None when it was never applied."""
        majors = [each for each in self._entries.values() if each.product == str(product)]
        return max(majors, key=lambda each: each.topics.major, default=None)

    def write(self, entry: Entry, producer: Producer | None = None) -> None:
        """Record an applied contract, durably, before returning; raises NotAuthorised for all but the platform.

        A ``producer`` that is there already saves connecting.
        """
        key, value = entry.encode()
        if producer is not None:
            producer.write(entry.home, key=key, value=value)
            return
        with Producer(self._connection) as own:
            own.write(entry.home, key=key, value=value)

    def _follow_new(self) -> None:
        known = set(self._tail.positions) if self._tail is not None else set()
        places = {TopicPartition(name, 0) for name in self._admin.topic_names() if is_catalog(name)}
        starts = dict.fromkeys(sorted(places - known), 0)
        if not starts:
            return
        if self._tail is None:
            self._tail = LogTail(self._connection, starts)
        else:
            self._tail.add(starts)

    def _fold(self, message: Message) -> None:
        key, value = message.key(), message.value()
        if key is None:
            return
        home, topic = message.topic(), Topic(key.decode(errors="replace"))
        if not topic.startswith(home.removeprefix("_mesh.").removesuffix("catalog")):
            # What one domain's catalog says of another's product must not take the place of what its own says.
            topic = Topic(f"{home}:{topic}")
        self.revision += 1
        for known in (self._entries, self._contracts, self._unreadable):
            known.pop(topic, None)
        if value is None:
            return
        try:
            self._entries[topic] = Entry.decode(home, key, value)
        except ContractInvalid as error:
            self._unreadable[topic] = str(error)

    def _read(self, topics: Collection[Topic] | None = None) -> None:
        """Read the documents of new entries: only for those who ask for contracts, for it takes its time."""
        wanted = self._entries.keys() if topics is None else set(topics)
        for topic in wanted - self._contracts.keys() - self._unreadable.keys():
            try:
                self._contracts[topic] = self._entries[topic].contract()
            except ContractInvalid as error:
                self._unreadable[topic] = str(error)
