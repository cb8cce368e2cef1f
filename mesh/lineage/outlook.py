"""Can more still be made from some records: what processors have read, how far their time has come, what they keep."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mesh.errors import NotAuthorised, NotFound
from mesh.lineage.atlas import Holding
from mesh.lineage.effect import Effect, Impact, Outlook
from mesh.lineage.hops import Account, Accounts, accounts
from mesh.lineage.impact import Consumer
from mesh.lineage.manifest import Place
from mesh.types import TopicPartition


def outlooks(impact: Impact, consumers: Sequence[Consumer], horizon: int | None = None) -> Iterator[Outlook]:
    """One for each derived product and partition that the record asked about, or one made from it, goes into.

    ``horizon`` is how long after a record's event time a processor may still use it, in milliseconds: its window and
    lateness, summed over the products on the way. Without it a record that a processor may keep in state is not final.
    """
    concerned = [impact.asked, *impact.effects]
    for consumer in consumers:
        sources = {str(each.family.product) for each in consumer.sources}
        mine = [effect for effect in concerned if effect.product in sources]
        if mine:
            yield from _Looking(consumer, horizon).at(mine)


@dataclass
class _Looking:
    consumer: Consumer
    horizon: int | None

    def at(self, effects: Sequence[Effect]) -> Iterator[Outlook]:
        holding = self.consumer.holding
        try:
            said, keeps, waiting = accounts(holding), _keeps(holding), _waiting(holding)
        except (NotAuthorised, NotFound) as error:
            said, keeps, waiting = {}, True, str(error)
        places = sorted({(each.reference.topic_id, each.reference.partition) for each in effects})
        for place in places:
            here = [each for each in effects if (each.reference.topic_id, each.reference.partition) == place]
            yield self._outlook(here, said, keeps, waiting)

    def _outlook(self, here: Sequence[Effect], said: Accounts, keeps: bool, waiting: str) -> Outlook:
        first = here[0].reference
        account = said.get((first.topic_id, first.partition))
        unread = (
            sum(each.reference.offset not in account.covered for each in here) if account is not None else len(here)
        )
        reason = waiting or self._open(here, account, unread, keeps)
        return Outlook(
            product=str(self.consumer.holding.family.product),
            source=here[0].at.topic,
            partition=first.partition,
            concerned=len(here),
            unread=unread,
            watermark=account.watermark if account is not None else None,
            final=not reason,
            reason=reason or "everything was read, and what was made of it has passed",
        )

    def _open(self, here: Sequence[Effect], account: Account | None, unread: int, keeps: bool) -> str:
        if account is None:
            return "no commit speaks of this input: it is looked up at any time, or not read yet"
        if unread:
            return "not read yet"
        return self._kept(here, account) if keeps else ""

    def _kept(self, here: Sequence[Effect], account: Account) -> str:
        """Why the state may still hold something of them."""
        if account.watermark is None:
            return "the processor keeps state that no event time ends"
        if self.horizon is None:
            return "it may be in a window; say how long they stay open (horizon)"
        times = [each.event_time for each in here]
        latest = max((time for time in times if time is not None), default=None)
        if latest is None or None in times:
            return "its event time is not known"
        return "" if account.watermark >= latest + self.horizon else "windows it may be in are open"


def _keeps(holding: Holding) -> bool:
    """Whether anything is, or ever was, in the processor's state."""
    places = (TopicPartition(holding.family.changelog, each) for each in range(holding.inventory.partitions))
    return any(holding.site.reader.bounds(place)[1] > 0 for place in places)


def _waiting(holding: Holding) -> str:
    """What still waits at the gate of the derived product."""
    state = holding.inventory.present(Place.INGRESS)
    for partition in range(state.partitions if state is not None else 0):
        newest = holding.log(partition).index.last()
        read = newest[1].ingress_to if newest is not None else 0
        place = TopicPartition(holding.family.ingress, partition)
        if any(True for _ in holding.site.reader.read(place, read, 1 << 60)):
            return "its gate has not settled all outputs yet"
    return ""
