"""Writing into a record: the way is made where it leads through nulls and empty lists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mesh.contract.expression_probe import Steps
from mesh.contract.sample.domains import Domains


def value_at(record: Any, steps: Steps) -> Any:
    """What stands at the end of a way; None where the way ends before."""
    for step in steps:
        try:
            record = record[step]
        except (KeyError, IndexError, TypeError):
            return None
    return record


def written(record: Mapping[str, Any], steps: Steps, value: Any, domains: Domains) -> dict[str, Any]:
    """A copy of the record with another value at the end of a way."""
    changed: dict[str, Any] = _copied(record, steps, 0, value, domains)
    return changed


def _copied(now: Any, steps: Steps, depth: int, value: Any, domains: Domains) -> Any:
    if depth == len(steps):
        return value
    step = steps[depth]
    if now is None:
        place, path = domains.at(steps[:depth])
        now = domains.draw(place, path, null=False)
    inner = _copied(value_at(now, (step,)), steps, depth + 1, value, domains)
    if isinstance(now, Mapping):
        return {**now, step: inner}
    if not isinstance(now, list) or not isinstance(step, int):
        return now
    return [*now[:step], inner, *now[step + 1 :]] if step < len(now) else [*now, inner]


def steps_to(record: Mapping[str, Any], path: str, domains: Domains) -> Steps:
    """The way to one value that a clause's path stands for; of lists any one item, the first of an empty one."""
    steps: Steps = ()
    for segment in path.replace("[]", ".[]").split("."):
        if segment == "[]":
            items = value_at(record, steps)
            size = len(items) if isinstance(items, list) else 0
            steps = (*steps, domains.rng.randrange(size) if size else 0)
        else:
            steps = (*steps, segment)
    return steps
