"""Judging contracts by policies: pure, one contract at a time, findings with the place they are about."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from mesh.contract.contract import Contract
from mesh.contract.diff import Decide, diff
from mesh.contract.document import Document, written
from mesh.contract.expression_document import DocumentCondition, Undecided, as_cel
from mesh.contract.policy import Policies, Policy
from mesh.contract.policy_places import Part, parts, place_at
from mesh.contract.remark import Group, Remark
from mesh.errors import ContractInvalid

DAY_MS = 86_400_000
# Two contracts are compared, which costs some sampling of rules, only where a policy asks for the variable.
_REQUIRED = re.compile(r"(?<![.\w])required\b")


@dataclass(frozen=True, slots=True)
class Case:
    """A contract to be judged, the version before it if there is one, and the day that exemptions are measured by.

    ``decide`` finds the direction of rules that their form does not show, for the version step that is required.
    """

    contract: Contract
    today: date
    previous: Document | None = None
    decide: Decide | None = None


def judge(policies: Policies, case: Case) -> list[Remark]:
    """What the policies have against a contract, in the order of its lines."""
    values = _values(case, required=_asks_required(policies))
    found: dict[Remark, None] = {}
    for policy in policies.policies:
        for remark in _policy(policies, policy, case, values):
            found.setdefault(remark)
    return sorted(found, key=lambda remark: (remark.file, remark.line))


def step(previous: str, now: str) -> str:
    """The step from one semantic version to another: none, patch, minor, major or backwards; none if unreadable."""
    before, after = _numbers(previous), _numbers(now)
    if before is None or after is None or before == after:
        return "none"
    if after < before:
        return "backwards"
    return next(word for word, old, new in zip(("major", "minor", "patch"), before, after, strict=True) if old != new)


def _numbers(version: str) -> tuple[int, int, int] | None:
    numbers = version.split(".")
    if len(numbers) != 3 or not all(number.isdecimal() for number in numbers):
        return None
    major, minor, patch = map(int, numbers)
    return major, minor, patch


def _asks_required(policies: Policies) -> bool:
    texts = [text for each in policies.policies for text in (each.require, each.when) if text is not None]
    return any(_REQUIRED.search(each.text) for each in texts)


def _required(case: Case) -> str | None:
    """The version step that the changes ask for; None where there is no version before that makes a contract."""
    if case.previous is None:
        return None
    try:
        return str(diff(Contract.of(case.previous), case.contract, decide=case.decide).required)
    except ContractInvalid:
        return None


def _values(case: Case, *, required: bool) -> dict[str, Any]:
    contract, previous = case.contract, case.previous
    now, before = contract.document.source, previous.source if previous else None
    return {
        "contract": as_cel(now),
        "previous": as_cel(before),
        "product": as_cel(_product(contract)),
        "step": as_cel(step(str(before.get("version")), contract.version) if before is not None else "first"),
        "changed": as_cel(before is None or _content(before) != _content(now)),
        "required": as_cel(_required(case) if required else None),
    }


def _content(source: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in source.items() if key != "version"}


def _product(contract: Contract) -> dict[str, Any]:
    retention = contract.topic_config.get("retention.ms")
    return {
        "name": str(contract.product),
        "domain": contract.product.domain,
        "topic": str(contract.topics.public),
        "major": contract.major,
        "owner": contract.owner,
        "partitions": contract.partitions,
        "cleanup": contract.cleanup,
        "retentionDays": int(retention) // DAY_MS if retention is not None else None,
        "compatibility": contract.compatibility,
        "key": list(contract.key_fields),
        "eventTime": contract.event_time,
    }


def _policy(policies: Policies, policy: Policy, case: Case, values: Mapping[str, Any]) -> Iterator[Remark]:
    contract = case.contract
    if not policy.scope.covers(contract.product.domain, str(contract.product), contract.status):
        return
    for part in parts(contract.document.source, policy.foreach):
        whole = part.value is contract.document.source
        inner = {**values, "it": values["contract"] if whole else as_cel(part.value), "path": as_cel(part.path)}
        applies = _decide(policy.when, inner)
        if applies is False:
            continue
        key, outcome = ("require", _decide(policy.require, inner)) if applies is True else ("when", applies)
        if isinstance(outcome, Undecided) and not outcome.boolean:
            yield policies.remark(policy, key, outcome.reason)
        elif outcome is not True and not _exempt(policy, case, part):
            yield _remark(policy, case, part, outcome.reason if isinstance(outcome, Undecided) else "")


def _decide(condition: DocumentCondition | None, values: Mapping[str, Any]) -> bool | Undecided:
    return True if condition is None else condition.decide(values)


def _exempt(policy: Policy, case: Case, part: Part) -> bool:
    return any(
        exemption.product == str(case.contract.product)
        and exemption.path in ("", part.path)
        and case.today <= exemption.until
        for exemption in policy.exemptions
    )


def _remark(policy: Policy, case: Case, part: Part, undecided: str) -> Remark:
    document = case.contract.document
    place = place_at(document.source, part, policy.at)
    told = policy.message or f"does not keep: {' '.join(policy.require.text.split())}"
    ended = [each for each in policy.exemptions if each.product == str(case.contract.product)]
    remarks = [told, f"({undecided})" if undecided else "", f"(exempt until {ended[0].until})" if ended else ""]
    return Remark(
        file=document.file,
        line=document.line(place),
        path=part.path or written(place),
        group=Group.POLICY,
        message=" ".join(filter(None, remarks)),
        severity=policy.severity,
        rule=policy.id,
        reason=policy.reason,
    )
