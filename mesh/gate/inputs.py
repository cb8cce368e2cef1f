"""Where the parents of a derived product may lie: the public topics of its declared inputs, as clusters have them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from mesh.contract import Contract
from mesh.contract.derivation import Derivation
from mesh.errors import NotAuthorised
from mesh.gate.ports import ContractSource, Neighbours
from mesh.kafka import Admin, TopicState
from mesh.lineage import Descent
from mesh.types import ProductName, ProductTopics, Topic

UNDECLARED: Final = "parents.undeclared"
"""A parent lies elsewhere than in the public topics of the declared inputs."""


@dataclass(frozen=True, slots=True)
class Declared:
    """Topic ids with their numbers of partitions; ``deposits`` is the product's own topic of parents."""

    names: str
    """The inputs as people say them."""
    inputs: Mapping[UUID, int]
    deposits: tuple[UUID, int] | None

    def objection(self, descent: Descent) -> str:
        """What is wrong with where a record says it comes from; empty if nothing is."""
        driving = descent.driving
        problem = self.astray(driving.topic_id, driving.partition)
        if not problem and descent.parents is not None:
            problem = next(filter(None, (self.astray(lot.topic_id, lot.partition) for lot in descent.parents.lots)), "")
        if not problem and descent.deposit is not None:
            problem = self._deposited(descent.deposit.at.topic_id, descent.deposit.at.partition)
        return problem

    def astray(self, topic_id: UUID, partition: int) -> str:
        """What is wrong with a place of parents."""
        known = self.inputs.get(topic_id)
        if known is None:
            return f"it names a record of topic {topic_id}, which is no public topic of {self.names}"
        if partition >= known:
            return f"it names partition {partition} of topic {topic_id}, which has {known}"
        return ""

    def _deposited(self, topic_id: UUID, partition: int) -> str:
        if self.deposits is None or self.deposits[0] != topic_id or partition >= self.deposits[1]:
            return f"its parents lie in {topic_id}/{partition}, which is not the product's own topic of parents"
        return ""


class Inputs:
    """Asks the clusters, and remembers until somebody names a place it does not know."""

    def __init__(self, contracts: ContractSource, admin: Admin, neighbours: Neighbours) -> None:
        self._contracts, self._admin, self._neighbours = contracts, admin, neighbours
        self._known: dict[Topic, tuple[str, Declared]] = {}

    def declared(self, contract: Contract, derivation: Derivation, descents: Iterable[Descent]) -> Declared:
        """Where these may come from; asked anew if one seems astray, since a topic may be younger than the last answer.

        An input topic that was made again has another id, and what names the former one is astray: its parents are
        gone. Raises what Admin and the neighbours raise.
        """
        digest, known = self._known.get(contract.topics.public, ("", None))
        if known is None or digest != contract.digest or any(map(known.objection, descents)):
            known = self._ask(contract, derivation)
            self._known[contract.topics.public] = contract.digest, known
        return known

    def _ask(self, contract: Contract, derivation: Derivation) -> Declared:
        own = contract.topics.parents
        far = {each for each in derivation.inputs if self._neighbours.elsewhere(each)}
        near = set(derivation.inputs) - far
        states = self._admin.topics([*self._in_force(near), own])
        for former in self._former(near):
            states |= self._visible(former)
        inputs = {state.topic_id: state.partitions for name, state in states.items() if name != own}
        for each in sorted(far):
            inputs |= self._neighbours.topics(each)
        deposits = (states[own].topic_id, states[own].partitions) if own in states else None
        return Declared(", ".join(map(str, derivation.inputs)), inputs, deposits)

    def _in_force(self, products: Collection[ProductName]) -> list[Topic]:
        return [topic for topic in self._contracts.live() if ProductTopics.of_public(topic).product in products]

    def _former(self, products: Collection[ProductName]) -> list[Topic]:
        """Majors of the inputs that are retired: what was made from them may still be on its way."""
        live = self._in_force(products)
        newest = [ProductTopics.of_public(topic) for topic in live]
        older = (ProductTopics(each.product, major).public for each in newest for major in range(1, each.major))
        return [topic for topic in dict.fromkeys(older) if topic not in live]

    def _visible(self, topic: Topic) -> dict[str, TopicState]:
        """The state of a topic; nothing where it is gone, which looks the same as where it must not be seen."""
        try:
            return self._admin.topics([topic])
        except NotAuthorised:
            return {}
