"""Federated policies: conditions in CEL over whole documents, read from ``policy.yaml`` or refused with reasons."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from mesh.contract.document import Document, Place, Problems
from mesh.contract.expression_document import DocumentCondition
from mesh.contract.policy_names import known_names
from mesh.contract.policy_places import EACH, STEP
from mesh.contract.remark import Group, Remark, Severity
from mesh.errors import ContractInvalid

_FILE_KEYS = ("source", "policies")
_KEYS = ("id", "reason", "severity", "foreach", "when", "require", "message", "at", "scope", "exemptions")
_TEXTS = ("id", "reason", "severity", "foreach", "when", "require", "message", "at")
_SCOPES = ("domains", "products", "statuses")
_EXEMPTION = ("product", "path", "until", "reason")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


@dataclass(frozen=True, slots=True)
class Exemption:
    """A product, or a part of it, that need not keep a policy up to and including a day."""

    product: str
    path: str
    until: date
    reason: str


@dataclass(frozen=True, slots=True)
class Scope:
    """What a policy applies to; an empty list is no limit."""

    domains: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()

    def covers(self, domain: str, product: str, status: str) -> bool:
        """Whether a contract is in it."""
        given = ((self.domains, domain), (self.products, product), (self.statuses, status))
        return all(not allowed or value in allowed for allowed, value in given)


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy. ``foreach`` names the parts it is judged for, empty for the document; ``at`` where findings point."""

    id: str
    reason: str
    severity: Severity
    require: DocumentCondition
    place: Place
    when: DocumentCondition | None = None
    foreach: str = ""
    at: str = ""
    message: str = ""
    scope: Scope = Scope()
    exemptions: tuple[Exemption, ...] = ()


@dataclass(frozen=True, slots=True)
class Policies:
    """A policy file that can be used; ``source`` names the repository in the catalog, if it says so."""

    document: Document
    source: str | None = None
    policies: tuple[Policy, ...] = ()

    @classmethod
    def read(cls, path: Path) -> Policies:
        """Read a file; raises ContractInvalid with every problem, UsageError if it cannot be read."""
        return cls.of(Document.read(path, _WHAT))

    @classmethod
    def parse(cls, text: str, file: str = "<text>") -> Policies:
        """Read a text; raises ContractInvalid."""
        return cls.of(Document.parse(text, file, _WHAT))

    @classmethod
    def of(cls, document: Document) -> Policies:
        """Read a parsed document; raises ContractInvalid."""
        problems = Problems(document).within(Group.POLICY)
        reading = _Reading(problems)
        policies = reading.file(document.source)
        problems.settle()
        source = document.source.get("source")
        return cls(document, str(source) if source else None, policies)

    def remark(self, policy: Policy, key: str, text: str) -> Remark:
        """A finding about the policy itself."""
        problems = Problems(self.document).within(Group.POLICY)
        problems.add((*policy.place, key), text, policy.id)
        return replace(problems.remarks[0], reason="a policy that cannot be judged protects nothing")


_WHAT = "a policy file is a mapping with source and policies"


class _Reading:
    """Reads the file key by key; what cannot be used is noted and left out."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._seen: dict[str, Place] = {}

    def file(self, source: Mapping[str, Any]) -> tuple[Policy, ...]:
        self._keys(source, (), _FILE_KEYS)
        if not isinstance(source.get("source", ""), str):
            self._problems.add(("source",), "source is the name of the repository: write text")
        entries = source.get("policies", [])
        if not isinstance(entries, list):
            self._problems.add(("policies",), "policies is a list; write one entry for each policy")
            return ()
        read = [self._policy(entry, ("policies", index)) for index, entry in enumerate(entries)]
        return tuple(policy for policy in read if policy is not None)

    def _policy(self, node: object, place: Place) -> Policy | None:
        if not isinstance(node, dict):
            self._problems.add(place, "a policy is a mapping with id, reason, severity and require")
            return None
        before = len(self._problems)
        self._keys(node, place, _KEYS)
        for key in _TEXTS:
            if key in node and not (isinstance(node[key], str) and node[key].strip()):
                self._problems.add((*place, key), f"{key} is text that says something")
        for key in ("id", "reason", "severity", "require"):
            if key not in node:
                self._problems.add(place, f"{key} is missing")
        if len(self._problems) > before:
            return None
        return self._read(node, place)

    def _read(self, node: Mapping[str, Any], place: Place) -> Policy | None:
        before = len(self._problems)
        self._name(node["id"], place)
        if node["severity"] not in set(Severity):
            self._problems.add((*place, "severity"), f"{node['severity']!r} is not a severity; write error or warning")
        foreach = node.get("foreach", "")
        if foreach and foreach not in EACH and not re.fullmatch(rf"{STEP}(\.{STEP})*", foreach):
            told = f"{foreach!r} names no parts; write {', '.join(EACH)} or a path as in roles[] or slaProperties[]"
            self._problems.add((*place, "foreach"), told)
        require = self._condition(node, "require", place, foreach)
        when = self._condition(node, "when", place, foreach) if "when" in node else None
        scope, exemptions = self._scope(node.get("scope", {}), place), self._exemptions(node, place)
        if len(self._problems) > before or require is None:
            return None
        return Policy(
            id=node["id"],
            reason=_one_line(node["reason"]),
            severity=Severity(node["severity"]),
            require=require,
            place=place,
            when=when,
            foreach=foreach,
            at=node.get("at", ""),
            message=_one_line(node.get("message", "")),
            scope=scope,
            exemptions=exemptions,
        )

    def _name(self, name: str, place: Place) -> None:
        if not _ID.fullmatch(name):
            self._problems.add((*place, "id"), f"{name!r} is not an id; use letters, digits, hyphens and underscores")
        if name in self._seen:
            line = self._problems.document.line(self._seen[name])
            self._problems.add((*place, "id"), f"the policy {name} is already there in line {line}")
        self._seen.setdefault(name, (*place, "id"))

    def _condition(self, node: Mapping[str, Any], key: str, place: Place, foreach: str) -> DocumentCondition | None:
        try:
            return DocumentCondition.parse(node[key], known_names(foreach))
        except ContractInvalid as error:
            for problem in error.problems:
                self._problems.add((*place, key), problem, node["id"])
            return None

    def _scope(self, node: object, place: Place) -> Scope:
        here = (*place, "scope")
        if not isinstance(node, dict):
            self._problems.add(here, f"scope is a mapping with {', '.join(_SCOPES)}")
            return Scope()
        self._keys(node, here, _SCOPES)
        return Scope(**{key: self._words(node.get(key, []), (*here, key)) for key in _SCOPES})

    def _words(self, value: object, place: Place) -> tuple[str, ...]:
        if isinstance(value, list) and all(isinstance(word, str) for word in value):
            return tuple(value)
        self._problems.add(place, f"{place[-1]} is a list of names")
        return ()

    def _exemptions(self, node: Mapping[str, Any], place: Place) -> tuple[Exemption, ...]:
        entries, here = node.get("exemptions", []), (*place, "exemptions")
        if not isinstance(entries, list):
            self._problems.add(here, "exemptions is a list")
            return ()
        read = [self._exemption(entry, (*here, index)) for index, entry in enumerate(entries)]
        return tuple(exemption for exemption in read if exemption is not None)

    def _exemption(self, node: object, place: Place) -> Exemption | None:
        if not isinstance(node, dict) or not all(isinstance(value, str) for value in node.values()):
            self._problems.add(place, "an exemption is a mapping of texts: product, until, reason and perhaps path")
            return None
        self._keys(node, place, _EXEMPTION)
        missing = [key for key in ("product", "until", "reason") if not node.get(key, "").strip()]
        if missing:
            self._problems.add(place, f"an exemption says {', '.join(missing)}, so that it is understood and ends")
            return None
        try:
            until = date.fromisoformat(node["until"])
        except ValueError:
            self._problems.add((*place, "until"), f"{node['until']!r} is not a day; write it as in 2027-06-30")
            return None
        return Exemption(node["product"], node.get("path", ""), until, _one_line(node["reason"]))

    def _keys(self, node: Mapping[str, Any], place: Place, known: Sequence[str]) -> None:
        for key in node:
            if key not in known:
                near = get_close_matches(key, known, 1)
                hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
                self._problems.add((*place, key), f"{key!r} is not a key of policies; {hint}")


def _one_line(text: str) -> str:
    return " ".join(text.split())
