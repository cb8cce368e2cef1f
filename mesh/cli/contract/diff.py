"""``mesh contract diff``: what changes between two contracts, whom it breaks, and the version step it requires."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from mesh.catalog import registered_readers
from mesh.cli.console import emit_json, emit_table, note, told
from mesh.connection import Mesh
from mesh.contract import Contract
from mesh.contract.compatibility import Reader
from mesh.contract.diff import Change, Diff, Step
from mesh.contract.diff import diff as compare
from mesh.errors import IncompatibleChange, UsageError
from mesh.judge.direction import sampled
from mesh.kafka import Connection

REGISTERED: Final = "mesh:"
_SECONDS: Final = 60
_COLUMNS: Final = ("change", "path", "direction", "class", "step", "what", "old", "new")

Version = Annotated[
    str, typer.Argument(metavar="OLD", help="A file, a git revision of one (HEAD~1:path), or mesh:domain.product.")
]
Later = Annotated[
    str | None, typer.Argument(metavar="NEW", help="As OLD; left out, OLD is compared with what is registered.")
]


@told
def diff(
    old: Version,
    new: Later = None,
    json: Annotated[bool, typer.Option("--json", help="Print a JSON document.")] = False,
) -> None:
    """Tell two contracts apart: each change, whom it breaks, the version step it requires; exit 4 if one breaks."""
    found = _compared(old, new)
    if json:
        emit_json(_as_json(found))
    elif found.changes:
        emit_table(_COLUMNS, map(_row, found.changes))
    note(_summary(found))
    if found.breaking:
        raise typer.Exit(IncompatibleChange.exit_code)


def _compared(old: str, new: str | None) -> Diff:
    if new is None:
        after = _read(old)
        before, readers = _registered(str(after.product))
        return compare(before, after, decide=sampled(), readers=readers)
    readers = None
    if old.startswith(REGISTERED):
        before, readers = _registered(old.removeprefix(REGISTERED))
    else:
        before = _read(old)
    return compare(before, _read(new), decide=sampled(), readers=readers)


def _read(name: str) -> Contract:
    if name.startswith(REGISTERED):
        return _registered(name.removeprefix(REGISTERED))[0]
    if ":" in name and not Path(name).exists():
        return Contract.parse(_of_revision(name), name)
    return Contract.read(Path(name))


def _registered(product: str) -> tuple[Contract, Sequence[Reader] | None]:
    """The contract in force, and who is registered to read it; None where nobody can be."""
    with Mesh.connect() as mesh:
        contract, settings = mesh.contract(product), mesh.settings
    domain = contract.product.domain
    if contract.compatibility != "READERS":
        return contract, None
    known = registered_readers(Connection.of(settings, settings.principal or domain, domain), domain)
    return contract, None if known is None else known.get(contract.topics.public, ())


def _of_revision(name: str) -> str:
    """The text of ``REVISION:path``, as git understands it: from the root of the repository, ``./`` from here."""
    revision, _, path = name.partition(":")
    if not revision or revision.startswith("-") or not path:
        raise UsageError(f"{name} is neither a file nor a git revision of one; write a path, or HEAD~1:path")
    try:
        command = [shutil.which("git") or "git", "cat-file", "blob", name]
        ran = subprocess.run(command, capture_output=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UsageError(f"git cannot be run for {name}: {error}") from None
    if ran.returncode:
        reason = ran.stderr.decode(errors="replace").strip().removeprefix("fatal: ").splitlines()
        raise UsageError(f"git does not give {name}: {reason[0] if reason else 'no such file or revision'}")
    try:
        return ran.stdout.decode("utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"{name} is not UTF-8 text; name an ODCS document") from None


def _row(change: Change) -> tuple[str, ...]:
    told_text = f"{change.told} ({', '.join(change.affects)})" if change.affects else change.told
    what = (change.kind, change.path, change.way.value, change.consequence, str(change.step))
    return (*what, told_text, change.old, change.new)


def _as_json(found: Diff) -> dict[str, Any]:
    return {
        "product": str(found.new.product),
        "old": {"file": found.old.document.file, "version": found.old.version},
        "new": {"file": found.new.document.file, "version": found.new.version},
        "breaking": bool(found.breaking),
        "required": str(found.required),
        "made": str(found.made),
        "sufficient": found.sufficient,
        "changes": [change.as_json() for change in found.changes],
    }


def _summary(found: Diff) -> str:
    if not found.changes:
        return f"{found.new.product} {found.new.version} says what {found.old.version} said"
    counts = f"{len(found.changes)} change(s), {len(found.breaking)} breaking; a {found.required} step is required"
    version = f"{found.old.version} to {found.new.version}"
    if found.sufficient:
        return (
            f"{counts}, and {version} makes it" if found.made is found.required else f"{counts}, {version} makes more"
        )
    made = "is none" if found.made is Step.NONE else f"is only a {found.made} one"
    return f"{counts}, but {version} {made}"
