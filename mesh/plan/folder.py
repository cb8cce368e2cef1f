"""A folder of contracts: ``<domain>/<product>.odcs.yaml`` and what ``policy.yaml`` says about the whole."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mesh.contract import Contract
from mesh.errors import ContractInvalid, NotFound, SettingsError
from mesh.types import Topic

POLICY = "policy.yaml"


@dataclass(frozen=True, slots=True)
class Folder:
    """Contracts that are applied together, and the name of where they come from."""

    source: str
    contracts: tuple[Contract, ...]

    @classmethod
    def read(cls, path: Path, source: str | None = None) -> Folder:
        """Every contract in the folder, sorted by file.

        ``source`` is else the policy's ``source``, else the name of the folder above: never a path of this machine.
        Raises NotFound without a contract, SettingsError for an unreadable policy, and ContractInvalid with the
        problems of all documents at once.
        """
        files = sorted(path.glob("*/*.odcs.yaml"))
        if not files:
            raise NotFound("contract in", str(path), "contracts lie in <folder>/<domain>/<product>.odcs.yaml")
        contracts = _read_all(files)
        return cls(source or _policy_source(path / POLICY) or path.resolve().parent.name, contracts)


def _read_all(files: Iterable[Path]) -> tuple[Contract, ...]:
    problems: list[str] = []
    found: dict[Topic, tuple[Path, Contract]] = {}
    for file in files:
        try:
            contract = Contract.read(file)
        except ContractInvalid as error:
            problems += error.problems
            continue
        problems += _misplaced(file, contract)
        other, _ = found.setdefault(contract.topics.public, (file, contract))
        if other != file:
            problems.append(f"{file}:1: name: {contract.topics.public} is already described by {other}")
    if problems:
        raise ContractInvalid(problems)
    return tuple(contract for _, contract in found.values())


def _misplaced(file: Path, contract: Contract) -> list[str]:
    domain = contract.product.domain
    if file.parent.name == domain:
        return []
    return [f"{file}:1: domain: a contract of {domain} lies in the folder {domain}, not in {file.parent.name}"]


def _policy_source(path: Path) -> str | None:
    if not path.is_file():
        return None
    try:
        content: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise SettingsError(f"cannot read the policy {path}: {error}") from None
    source = content.get("source") if isinstance(content, dict) else None
    return str(source) if source else None
