"""Does a processor account for every record of its inputs: its commits held against the gates' manifests of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from mesh.lineage.atlas import Holding
from mesh.lineage.balance import Fault, GateBalance, HopBalance, Mismatch
from mesh.lineage.manifest import Place
from mesh.lineage.offsets import EMPTY, OffsetSet, Run
from mesh.lineage.progress import Progress
from mesh.lineage.progress_log import ProgressLog
from mesh.lineage.reconcile import Window
from mesh.types import TopicPartition

_CHUNK = 512


@dataclass(frozen=True, slots=True)
class Account:
    """All that a processor said of one input partition.

    Ranges overlap after a crash, or when the group was set back: of a record the last word counts that was delivered.
    """

    covered: OffsetSet = EMPTY
    delivered: OffsetSet = EMPTY
    filtered: OffsetSet = EMPTY
    late: OffsetSet = EMPTY
    parked: OffsetSet = EMPTY
    outputs: int = 0
    commits: int = 0
    watermark: int | None = None
    overlapping: bool = False

    @classmethod
    def of(cls, said: Sequence[Progress]) -> Account:
        """Join its commits."""
        ranges = [OffsetSet.between(each.start, each.end) for each in said]
        covered = OffsetSet.union(ranges)
        overridden = list(zip(said, _later(said), strict=True))
        return cls(
            covered,
            OffsetSet.union(each.delivered for each in said),
            OffsetSet.union(each.filtered - later for each, later in overridden),
            OffsetSet.union(each.late - later for each, later in overridden),
            OffsetSet.union(each.parked - later for each, later in overridden),
            sum(each.outputs for each in said),
            len(said),
            max((each.watermark for each in said if each.watermark is not None), default=None),
            sum(map(len, ranges)) > len(covered),
        )


def _later(said: Sequence[Progress]) -> list[OffsetSet]:
    """For each commit the records that a later one of an overlapping range speaks of."""
    found: list[list[OffsetSet]] = [[] for _ in said]
    begun: list[int] = []
    for number in sorted(range(len(said)), key=lambda each: said[each].start):
        begun = [each for each in begun if said[each].end > said[number].start]
        for other in begun:
            older, newer = sorted((other, number))
            found[older].append(said[newer].delivered)
        begun.append(number)
    return [OffsetSet.union(each) for each in found]


Accounts = Mapping[tuple[UUID, int], Account]
"""By topic id and partition of the input."""


def accounts(holding: Holding, window: Window | None = None) -> Accounts:
    """Everything that is said in a derived product's topic of parents; raises NotAuthorised, NotFound."""
    found: dict[tuple[UUID, int], list[Progress]] = {}
    for partition in range(holding.inventory.partitions):
        log = ProgressLog(holding.site.reader, TopicPartition(holding.family.parents, partition))
        for _, progress in log.told():
            if window is None or window.holds(progress.created_at):
                found.setdefault((progress.topic_id, progress.partition), []).append(progress)
    return {place: Account.of(said) for place, said in found.items()}


def public_offsets(holding: Holding, partition: int, advance: Callable[[int], None] = lambda _: None) -> OffsetSet:
    """Every offset that the manifests account for on the present public topic, whether its record is kept or not."""
    log = holding.log(partition)
    spans: list[Run] = []
    for start in range(log.begin, log.end, _CHUNK):
        for _, manifest in log.entries(start, min(start + _CHUNK, log.end)):
            if manifest.topics.public == holding.topic_id and manifest.public.count:
                spans.append((manifest.public.base, manifest.public.count))
                advance(manifest.public.count)
    return OffsetSet.union(OffsetSet((span,)) for span in spans)


def reconcile_input(product: str, source: Holding, said: Accounts, window: Window) -> list[HopBalance]:
    """Every partition of an input; none where no commit speaks of any: then it is looked up, or was never read."""
    if said and not any(topic_id == source.topic_id for topic_id, _ in said):
        return []
    partitions = range(source.inventory.partitions)
    return [
        reconcile_hop(product, source, each, said.get((source.topic_id, each), Account()), window)
        for each in partitions
    ]


def reconcile_hop(product: str, source: Holding, partition: int, account: Account, window: Window) -> HopBalance:
    """One input partition: every record is in an output, in state, filtered, late, parked, or still to be read."""
    there = public_offsets(source, partition)
    begin, end = _reach(account)
    there = there if window == Window() else there & OffsetSet.between(begin, end)
    pending, before = there - OffsetSet.between(0, end), there & OffsetSet.between(0, begin)
    apart = account.filtered | account.late | account.parked
    balance = HopBalance(
        product,
        source.family.public,
        partition,
        start=begin,
        end=end,
        input=len(there),
        used=len((account.delivered & there) - apart),
        filtered=len(account.filtered & there),
        late=len((account.late & there) - account.filtered),
        parked=len((account.parked & there) - account.filtered - account.late),
        pending=len(pending),
        before=len(before),
        outputs=account.outputs,
        commits=account.commits,
        watermark=account.watermark,
    )
    balance.mismatches += _wrong(source, partition, account, there - pending - before)
    return balance


def _reach(account: Account) -> tuple[int, int]:
    begin = account.covered.runs[0][0] if account.covered else 0
    return begin, account.covered.end


def _wrong(source: Holding, partition: int, account: Account, there: OffsetSet) -> Iterable[Mismatch]:
    place = source.family.public, partition
    apart = account.filtered | account.late | account.parked
    faults: Sequence[tuple[Fault, OffsetSet, str]] = (
        (Fault.UNREAD, (there - account.delivered) & account.covered, "a commit of the processor went past it"),
        (Fault.UNREAD, there - account.covered, "no commit of the processor speaks of it"),
        (Fault.FOREIGN, account.delivered - there, "the processor read what no manifest of the input accounts for"),
        (Fault.CONTRADICTION, apart - account.delivered, "it was set aside, but never delivered"),
    )
    for fault, offsets, reason in faults:
        for start, count in offsets.runs:
            yield Mismatch(fault, *place, start, start + count, reason)


def outputs_mismatch(product: Holding, made: Iterable[Account], gate: Iterable[GateBalance]) -> Mismatch | None:
    """Outputs that a processor says it wrote, and that did not come to the product's ingress.

    More may come than commits speak of: windows closed at the end of a bounded run belong to no input. Nothing is said
    where commits overlap: after a crash outputs are counted again.
    """
    made, gate = list(made), list(gate)
    claimed, came = sum(each.outputs for each in made), sum(each.read + each.pending for each in gate)
    if any(each.overlapping for each in made) or claimed <= came:
        return None
    ends = max((each.end for each in gate), default=0)
    topic = product.inventory.names[Place.INGRESS]
    reason = f"the processor says it wrote {claimed} records to the product, only {came} came"
    return Mismatch(Fault.CONTRADICTION, topic, 0, 0, ends, reason)
