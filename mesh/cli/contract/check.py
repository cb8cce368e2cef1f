"""``mesh contract check``: documents against the standard, the lint, their own rules and the policies."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from mesh.cli.console import emit, emit_json, emit_table, note, stderr, told
from mesh.cli.contract.documents import documents_at
from mesh.cli.contract.junit import junit, write_junit
from mesh.cli.contract.revision import Revision
from mesh.contract.document import SUFFIX
from mesh.contract.inspection import Inspection, inspect
from mesh.contract.policing import Case, judge
from mesh.contract.policy import Policies
from mesh.contract.remark import Group, Remark
from mesh.contract.sourcing import check_inputs
from mesh.errors import ContractInvalid
from mesh.judge.direction import sampled

POLICY = "policy.yaml"
# A document lies in contracts/<domain>; its policies in contracts, or in the folder beside it.
_ABOVE = 3


@told
def check(
    paths: Annotated[list[Path], typer.Argument(metavar="FILE|FOLDER...", help="ODCS documents, or folders of them.")],
    policy: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Policies; by default the nearest policy.yaml above a document.")
    ] = None,
    against: Annotated[
        str | None, typer.Option(metavar="REV", help="Judge the version step against this git revision.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print a JSON document.")] = False,
    report: Annotated[Path | None, typer.Option("--junit", metavar="FILE", help="Write JUnit XML too.")] = None,
) -> None:
    """Check documents against the standard, the Avro lint, their own rules and policies; exit 3 if one is refused."""
    files = list(dict.fromkeys(file for path in paths for file in documents_at(path)))
    checking = _Checking(policy, Revision(against) if against is not None else None)
    found = _sourced([checking.document(file) for file in files])
    found += checking.files()
    if report is not None:
        write_junit(report, junit(found, list(Group) if checking.judging else list(Group)[:-1]))
    if json:
        emit_json(_as_json(found))
    else:
        _show(found)
    _settle(found, len(files))


def _sourced(found: Sequence[Inspection]) -> list[Inspection]:
    """The same, with what derived products say wrongly of inputs that are among them; others may be applied."""
    contracts = sorted((each.contract for each in found if each.contract), key=lambda each: each.major)
    known = {each.product: each for each in contracts}
    return [
        each.judged(check_inputs(each.contract, known, complete=False).remarks) if each.contract else each
        for each in found
    ]


@dataclass(slots=True)
class _Checking:
    """Checks documents, each with the policies that lie above it; reads every policy file once."""

    policy: Path | None
    revision: Revision | None
    _read: dict[Path, Inspection | Policies] = field(default_factory=dict)
    _broken: dict[str, list[Remark]] = field(default_factory=dict)

    @property
    def judging(self) -> bool:
        """Whether any policy was there."""
        return bool(self._read)

    def document(self, file: Path) -> Inspection:
        """Everything about one document."""
        inspection, path = inspect(file), self.policy or _policy_of(file)
        policies = self._policies(path) if path is not None else None
        contract = inspection.contract
        if contract is None or not isinstance(policies, Policies):
            return inspection
        before = self.revision.before(file, contract.topics.public, SUFFIX) if self.revision else None
        found = judge(policies, Case(contract, datetime.now(UTC).date(), before, sampled()))
        for remark in found:
            if remark.file != inspection.file and remark not in self._broken.setdefault(remark.file, []):
                self._broken[remark.file].append(remark)
        return inspection.judged([remark for remark in found if remark.file == inspection.file])

    def files(self) -> list[Inspection]:
        """The policy files that cannot be used."""
        unread = [read for read in self._read.values() if isinstance(read, Inspection)]
        return unread + [Inspection(file, None, tuple(remarks)) for file, remarks in self._broken.items()]

    def _policies(self, path: Path) -> Inspection | Policies:
        if path not in self._read:
            try:
                self._read[path] = Policies.read(path)
            except ContractInvalid as error:
                found = tuple(Remark.of_line(text, Group.POLICY) for text in error.problems)
                self._read[path] = Inspection(str(path), None, found)
        return self._read[path]


def _policy_of(file: Path) -> Path | None:
    folder = file.parent
    for _ in range(_ABOVE):
        if (folder / POLICY).is_file():
            return folder / POLICY
        folder = folder / ".." if folder.name in ("", "..") else folder.parent
    return None


def _as_json(found: Sequence[Inspection]) -> dict[str, Any]:
    documents = [
        {
            "file": inspection.file,
            "valid": inspection.valid,
            "problems": [str(remark) for remark in inspection.remarks if remark.refuses],
            "findings": [remark.told() for remark in inspection.remarks],
        }
        for inspection in found
    ]
    return {"valid": all(inspection.valid for inspection in found), "documents": documents}


def _show(found: Sequence[Inspection]) -> None:
    for inspection in found:
        for remark in inspection.remarks:
            emit(str(remark) if remark.refuses else f"{remark} (warning)")
    if sys.stdout.isatty():
        emit_table(("document", *Group), (_row(inspection) for inspection in found))


def _row(inspection: Inspection) -> tuple[str, ...]:
    return inspection.file, *(_cell(inspection, group) for group in Group)


def _cell(inspection: Inspection, group: Group) -> str:
    found = inspection.of(group)
    errors = sum(remark.refuses for remark in found)
    if not found:
        return "ok" if inspection.reached(group) else "-"
    return f"{errors} problem(s)" if errors else f"{len(found)} warning(s)"


def _settle(found: Sequence[Inspection], documents: int) -> None:
    remarks = [remark for inspection in found for remark in inspection.remarks]
    errors = sum(remark.refuses for remark in remarks)
    warnings = f", {len(remarks) - errors} warning(s)" if len(remarks) > errors else ""
    if errors:
        bad = sum(not inspection.valid for inspection in found)
        told_errors = f"{errors} problem(s) in {bad} of {documents} contract(s){warnings}"
        stderr().print(told_errors, markup=False, style="red")
        raise typer.Exit(ContractInvalid.exit_code)
    note(f"{documents} contract(s) checked, nothing wrong{warnings}")
