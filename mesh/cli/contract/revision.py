"""Documents as they were at a revision of the git repository they lie in."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from mesh.contract import Document
from mesh.errors import ContractInvalid, UsageError

_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Revision:
    """One revision, by any name git takes."""

    name: str

    def before(self, path: Path, topic: str, suffix: str) -> Document | None:
        """The document that lay at this path then, or described this topic elsewhere; None if none did.

        Raises UsageError where there is no repository, git or revision; a document nobody could read then is none.
        """
        root = Path(self._git(path.parent, "rev-parse", "--show-toplevel").strip())
        commit = self._git(
            root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{self.name}^{{commit}}"
        ).strip()
        here = path.resolve().relative_to(root.resolve()).as_posix()
        names = self._git(root, "ls-tree", "-r", "-z", "--name-only", "--full-tree", commit).split("\0")
        documents = sorted((name for name in names if name.endswith(suffix)), key=lambda name: name != here)
        for name in documents:
            document = _parsed(self._git(root, "cat-file", "blob", f"{commit}:{name}"), f"{self.name}:{name}")
            if document is not None and (name == here or _topic(document) == topic):
                return document
        return None

    def _git(self, folder: Path, *words: str) -> str:
        try:
            ran = subprocess.run(
                [_git(), "-C", str(folder), *words], capture_output=True, timeout=_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise UsageError(f"git cannot be run for --against {self.name}: {error}") from None
        if ran.returncode != 0:
            told = ran.stderr.decode(errors="replace").strip().removeprefix("fatal: ") or "there is no such revision"
            raise UsageError(f"git does not give the revision {self.name}: {told}")
        return ran.stdout.decode("utf-8", errors="replace")


def _git() -> str:
    return shutil.which("git") or "git"


def _parsed(text: str, file: str) -> Document | None:
    try:
        return Document.parse(text, file)
    except ContractInvalid:
        return None


def _topic(document: Document) -> str:
    records = document.source.get("schema")
    first = records[0] if isinstance(records, list) and records else None
    return str(first.get("physicalName", "")) if isinstance(first, dict) else ""
