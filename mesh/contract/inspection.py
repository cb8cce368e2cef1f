"""Everything that can be said about one document without a broker: standard, lint, rules and policies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mesh.contract.contract import Contract
from mesh.contract.document import Document, Problems
from mesh.contract.remark import Group, Remark
from mesh.errors import ContractInvalid


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was found about one document; ``contract`` is there if nothing but policies has anything against it."""

    file: str
    contract: Contract | None
    remarks: tuple[Remark, ...]

    @property
    def valid(self) -> bool:
        """Whether nothing refuses the document."""
        return not any(remark.refuses for remark in self.remarks)

    def of(self, group: Group) -> list[Remark]:
        """What one group of checks found."""
        return [remark for remark in self.remarks if remark.group is group]

    def reached(self, group: Group) -> bool:
        """Whether a group of checks was come to: each supposes what those before it have found nothing against."""
        if group in (Group.STANDARD, *(remark.group for remark in self.remarks)):
            return True
        return self.contract is not None or (group is Group.LINT and not self.of(Group.STANDARD))

    def judged(self, remarks: Sequence[Remark]) -> Inspection:
        """The same with what the policies found."""
        everything = sorted((*self.remarks, *remarks), key=lambda remark: remark.line)
        return Inspection(self.file, self.contract, tuple(everything))


def inspect(path: Path) -> Inspection:
    """Read a file and say everything about it but the policies'; raises UsageError if it cannot be read."""
    try:
        document = Document.read(path)
    except ContractInvalid as error:
        found = tuple(Remark.of_line(text, Group.STANDARD) for text in error.problems)
        return Inspection(str(path), None, found)
    return inspect_document(document)


def inspect_document(document: Document) -> Inspection:
    """Say everything about a document but the policies'."""
    problems = Problems(document)
    try:
        contract = Contract.examined(document, problems)
    except ContractInvalid as error:
        found = problems.remarks or [Remark.of_line(text, Group.LINT) for text in error.problems]
        return Inspection(document.file, None, tuple(found))
    return Inspection(document.file, contract, tuple(problems.remarks))
