"""The step from the last version of a contract, kept in git or in a file, to the present one."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mesh.contract import Contract
from mesh.contract.compatibility import Mode, check
from mesh.contract.diff import diff
from mesh.errors import NotFound, UsageError

_SECONDS: Final = 30


@dataclass(frozen=True, slots=True)
class Previous:
    """Where the last versions are: a file, a folder of files by the same names, or a git revision."""

    name: str

    def contract(self, document: Path) -> Contract | None:
        """The last version of a document; None where there was none. Raises UsageError, ContractInvalid."""
        place = Path(self.name)
        if place.is_dir():
            found = sorted(place.rglob(document.name))
            return Contract.read(found[0]) if found else None
        if place.is_file():
            return Contract.read(place)
        text = _shown(self.name, document)
        return None if text is None else Contract.parse(text, f"{self.name}:{document}")


def _shown(revision: str, document: Path) -> str | None:
    if revision.startswith("-"):
        raise UsageError(f"{revision!r} is no revision; name a file, a folder or a revision of git")
    folder = document.resolve().parent
    _git(folder, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}", told=revision)
    done = _run(folder, "show", f"{revision}:./{document.name}")
    return done.stdout if done.returncode == 0 else None


def _git(folder: Path, *arguments: str, told: str) -> None:
    if _run(folder, *arguments).returncode != 0:
        raise NotFound("file, folder or revision of git", told, "name what to compare with: --against HEAD~1")


def _run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["git", "-C", str(folder), *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UsageError(f"git cannot be asked: {error}; name a file with --against") from None


def _mode(contract: Contract) -> Mode:
    # READERS asks for the readers a catalog knows; offline nobody is known, and what everybody may read is enough.
    known = contract.compatibility in set(Mode)
    return Mode(contract.compatibility) if known else Mode.BACKWARD_TRANSITIVE


def steps_from(earlier: Contract, contract: Contract) -> list[str]:
    """Why one version may not follow the other; empty where it may."""
    found = diff(earlier, contract)
    told: list[str] = []
    if earlier.topics == contract.topics:  # another topic is nobody's next version: nobody reads both as one
        told += [f"{each}" for each in check(_mode(contract), contract.value_schema, [earlier.value_schema])]
    if not found.sufficient:
        told.append(
            f"version {earlier.version} to {contract.version}, but the changes require a {found.required} step:"
        )
        told += [f"  {each.path or 'the document'}: {each.told}" for each in found.changes if each.step > found.made]
    return told
