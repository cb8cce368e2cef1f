"""``mesh plan`` and ``mesh apply``: what contracts would change on their clusters, and doing it."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from mesh.cli.console import emit_json, emit_table, note, progress, told
from mesh.contract import Contract, Document
from mesh.errors import ContractInvalid, IncompatibleChange
from mesh.plan import Change, Folder, Plan, Site, by_cluster, check, survey
from mesh.plan import apply as take
from mesh.settings import Settings
from mesh.types import ProductName, Topic

CHANGES_PENDING = 7

Contracts = Annotated[Path, typer.Argument(metavar="FOLDER", help="Contracts: <domain>/<product>.odcs.yaml.")]
Source = Annotated[
    str | None,
    typer.Option(
        help="Where the contracts come from; else `source` in policy.yaml, else the name of the folder above."
    ),
]
Principal = Annotated[str | None, typer.Option("--as", metavar="PRINCIPAL", help="By default the administrator.")]
Json = Annotated[bool, typer.Option("--json", help="As JSON.")]

_DEFAULT = Path("contracts")


@told
def plan(
    folder: Contracts = _DEFAULT,
    source: Source = None,
    principal: Principal = None,
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Exit 0: nothing to do, 7: changes, 4: impossible ones.")
    ] = False,
    json: Json = False,
) -> None:
    """Show what applying contracts would change; changes nothing."""
    with _surveyed(folder, source, principal) as found:
        if json:
            emit_json(found.as_json(applied=False))
        else:
            found.show()
        note(found.summary())
    if detailed_exitcode and found.impossible:
        raise typer.Exit(IncompatibleChange.exit_code)
    if detailed_exitcode and found.changes:
        raise typer.Exit(CHANGES_PENDING)


@told
def apply(
    folder: Contracts = _DEFAULT,
    source: Source = None,
    principal: Principal = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show, and refuse what would be refused.")] = False,
    allow_destructive: Annotated[
        bool, typer.Option("--allow-destructive", help="Also do what loses data; the plan names what.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before losing data.")] = False,
    json: Json = False,
) -> None:
    """Make topics, schemas, users and permissions what the contracts say. A second time it changes nothing."""
    with _surveyed(folder, source, principal) as found:
        refusal = found.refusal(allow_destructive)
        doing = not dry_run and refusal is None
        if not json:
            found.show()
        note(found.summary())
        if doing and found.destructive and not yes and sys.stdin.isatty():
            typer.confirm("This loses data. Go on?", abort=True, err=True)
        if doing:
            found.take(allow_destructive)
        if json:
            emit_json(found.as_json(applied=doing))
        if refusal is not None:
            raise refusal


@dataclass(frozen=True, slots=True)
class _Survey:
    """The plans of all clusters the contracts concern."""

    folder: Folder
    plans: Sequence[tuple[Site, Plan]]

    @property
    def changes(self) -> list[Change]:
        return [change for _, each in self.plans for change in each.changes]

    @property
    def destructive(self) -> list[Change]:
        return [change for change in self.changes if change.destructive]

    @property
    def impossible(self) -> list[Change]:
        return [change for change in self.changes if change.impossible]

    def refusal(self, allow_destructive: bool) -> IncompatibleChange | None:
        """Why nothing of it may be done on any cluster, if so."""
        try:
            check(Plan(tuple(self.changes)), allow_destructive=allow_destructive)
        except IncompatibleChange as refused:
            return refused
        return None

    def show(self) -> None:
        """Print the changes, by their owners."""
        if self.changes:
            columns = ("product", "change", "resource", "before", "after", "remark")
            emit_table(columns, (_row(change) for _, each in self.plans for change in _ordered(each)))
        for _, each in self.plans:
            for acl in each.strays:
                note(f"warning: no contract gives this, and it opens products: {acl}")

    def take(self, allow_destructive: bool) -> None:
        """Take every step on every cluster."""
        if not self.changes:
            return
        with progress("changes applied", len(self.changes)) as advance:
            for site, each in self.plans:
                take(each, site, allow_destructive=allow_destructive, taken=lambda _: advance(1))

    def as_json(self, *, applied: bool) -> dict[str, Any]:
        """The changes, and whether they were made."""
        return {
            "source": self.folder.source,
            "products": sorted({str(contract.product) for contract in self.folder.contracts}),
            "changes": [change.told() for change in self.changes],
            "destructive": len(self.destructive),
            "impossible": len(self.impossible),
            "strays": [str(acl) for _, each in self.plans for acl in each.strays],
            "applied": applied,
        }

    def summary(self) -> str:
        """One line that sums the changes up."""
        products = len({contract.product for contract in self.folder.contracts})
        if not self.changes:
            return f"nothing to do: {products} product(s) of {self.folder.source} are as their contracts say"
        kinds = Counter(change.kind for change in self.changes)
        told_kinds = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
        remarks = [f"{len(self.destructive)} destructive"] if self.destructive else []
        remarks += [f"{len(self.impossible)} impossible"] if self.impossible else []
        return "; ".join([f"{len(self.changes)} changes for {products} product(s): {told_kinds}", *remarks])


def _ordered(found: Plan) -> Iterator[Change]:
    return (change for changes in found.owned().values() for change in changes)


def _row(change: Change) -> tuple[str, ...]:
    remark = f"impossible: {change.impossible}" if change.impossible else ""
    if change.loses:
        remark = "; ".join(filter(None, (remark, f"loses {change.loses}")))
    return change.owner, change.kind, change.resource, change.before or "", change.after or "", remark


def _registered(folder: Folder, sites: Sequence[Site]) -> dict[Topic, Document]:
    """What is registered now under the topics of a folder's contracts."""
    topics = {contract.topics.public for contract in folder.contracts}
    entries = [entry for site in sites for entry in site.catalog.entries().values() if entry.topic in topics]
    found: dict[Topic, Document] = {}
    for entry in entries:
        with suppress(ContractInvalid):  # written by another version of the mesh; the plan says what becomes of it
            found[Topic(entry.topic)] = Document.parse(entry.document, f"the catalog:{entry.topic}")
    return found


def _applied(
    folder: Folder, settings: Settings, sites: Sequence[Site], principal: str | None
) -> dict[ProductName, Contract]:
    """The applied contracts of the inputs that the folder does not hold, wherever they live."""
    found = {name: each for site in sites for name, each in _held(site, folder.unheld)}
    known = {site.cluster for site in sites}
    for product in sorted(folder.unheld):
        if settings.cluster_of(product.domain) not in known:
            known.add(settings.cluster_of(product.domain))
            with Site.open(settings, product.domain, principal) as site:
                site.catalog.refresh(relist=True)
                found |= dict(_held(site, folder.unheld))
    return found


def _held(site: Site, products: Iterable[ProductName]) -> Iterator[tuple[ProductName, Contract]]:
    for product in products:
        contract = site.catalog.contract(product)
        if contract is not None:
            yield product, contract


@contextmanager
def _surveyed(path: Path, source: str | None, principal: str | None) -> Iterator[_Survey]:
    """The plans for a folder on connections that stay open meanwhile."""
    folder, settings = Folder.read(path, source), Settings.load()
    sites: list[Site] = []
    plans: list[tuple[Site, Plan]] = []
    try:
        for contracts in by_cluster(settings, folder.contracts):
            sites.append(Site.open(settings, contracts[0].product.domain, principal))
            plans.append((sites[-1], survey(sites[-1], contracts, folder.source)))
        folder.refuse(_registered(folder, sites))
        folder.refuse_inputs(_applied(folder, settings, sites, principal))
        yield _Survey(folder, plans)
    finally:
        for site in sites:
            site.close()
