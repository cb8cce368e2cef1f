"""The locked jars of the broker: fetched once, checked against the lock, kept by content, offline afterwards."""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from mesh.embedded.files import disk_faults, is_full, no_space
from mesh.errors import PlatformFailure

_LOCK = "kafka-4.3.1.lock"
_THREADS = 8
_BACKOFF_SECONDS = 0.5


@dataclass(frozen=True, slots=True, order=True)
class Jar:
    """One line of the lock."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def file(self) -> str:
        """The file name Java people know it by."""
        return f"{self.artifact}-{self.version}.jar"

    def __str__(self) -> str:
        return f"{self.group}:{self.artifact}:{self.version}"


Fetch = Callable[[Jar, Path], Path]
"""Brings a jar into a private, empty folder and gives its path; raises OSError or RuntimeError."""


def locked_jars(*, optional: bool = False) -> tuple[Jar, ...]:
    """The jars a broker needs, in the order of the lock; ``optional`` adds those that no feature we use loads."""
    text = resources.files("mesh.embedded").joinpath(_LOCK).read_text(encoding="utf-8")
    return parse_lock(text, optional=optional)


def parse_lock(text: str, *, optional: bool = False) -> tuple[Jar, ...]:
    """Read ``group:artifact:version:sha256`` lines, up to the line ``# optional`` unless that part is wanted."""
    wanted = text if optional else text.partition("\n# optional")[0]
    lines = (line.strip() for line in wanted.splitlines())
    return tuple(Jar(*line.split(":")) for line in lines if line and not line.startswith("#"))


class JarCache:
    """A folder of jars by SHA-256. Several processes may fill it at the same time."""

    def __init__(self, folder: Path, fetch: Fetch, attempts: int = 3) -> None:
        self.folder, self._fetch, self._attempts = folder, fetch, attempts

    @classmethod
    def of_environment(cls) -> JarCache:
        """The cache in ``MESH_JARS`` (default: in the user's cache), filled from the mirror ``MESH_MAVEN`` if set."""
        home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        folder = Path(os.environ.get("MESH_JARS") or home / "mesh" / "jars")
        return cls(folder.absolute(), maven_fetch(os.environ.get("MESH_MAVEN") or None))

    def path(self, jar: Jar) -> Path:
        """Where a jar is, or will be."""
        return self.folder / jar.sha256[:2] / jar.sha256 / jar.file

    def missing(self, jars: Iterable[Jar]) -> list[Jar]:
        """The jars that are not here, or are here damaged."""
        return [jar for jar in jars if not _intact(self.path(jar), jar)]

    def provide(self, jars: Sequence[Jar], on_fetched: Callable[[Jar], None] = lambda _: None) -> list[Path]:
        """The paths of all jars, fetching what is missing; ``on_fetched`` is called once per fetched jar.

        Raises PlatformFailure when a jar cannot be fetched, is not what the lock says, or finds no disk space.
        """
        missing = self.missing(jars)
        if missing:
            with disk_faults(self.folder):
                self.folder.mkdir(parents=True, exist_ok=True)
            self._fetch_all(missing, on_fetched)
        return [self.path(jar) for jar in jars]

    def _fetch_all(self, missing: Sequence[Jar], on_fetched: Callable[[Jar], None]) -> None:
        pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="jars")
        try:
            futures = {pool.submit(self._obtain, jar): jar for jar in missing}
            for future in as_completed(futures):
                future.result()
                on_fetched(futures[future])
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _obtain(self, jar: Jar) -> None:
        for attempt in range(1, self._attempts):
            try:
                self._fetch_once(jar)
            except _DiskFull:
                raise
            except PlatformFailure:
                time.sleep(_BACKOFF_SECONDS * attempt)
            else:
                return
        self._fetch_once(jar)

    def _fetch_once(self, jar: Jar) -> None:
        """Fetch into a private folder on the same disk, check, and only then let others see the file."""
        with self._told(jar), tempfile.TemporaryDirectory(prefix=".fetch-", dir=self.folder) as private:
            fetched = self._fetch(jar, Path(private))
            if not _intact(fetched, jar):
                raise PlatformFailure(
                    f"{jar} came damaged: its SHA-256 is not the locked {jar.sha256[:12]}...; nothing was kept; "
                    "try again, and if it stays so check the mirror (MESH_MAVEN) or the proxy in between"
                )
            self.path(jar).parent.mkdir(parents=True, exist_ok=True)
            fetched.replace(self.path(jar))

    @contextmanager
    def _told(self, jar: Jar) -> Iterator[None]:
        try:
            yield
        except OSError as fault:
            if is_full(fault):
                raise _DiskFull(str(no_space(self.folder))) from None
            raise self._unreachable(jar, type(fault).__name__) from None
        except RuntimeError:
            raise self._unreachable(jar, "the repository does not give it") from None

    def _unreachable(self, jar: Jar, reason: str) -> PlatformFailure:
        return PlatformFailure(
            f"cannot fetch {jar} ({reason}): the first start needs the network once, to fill {self.folder}; "
            "connect, or set MESH_MAVEN to a repository mirror you can reach, "
            "or MESH_JARS to a folder filled on another machine"
        )


class _DiskFull(PlatformFailure):
    """Not worth another attempt."""


def _intact(path: Path, jar: Jar) -> bool:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == jar.sha256
    except FileNotFoundError:
        return False


def maven_fetch(mirror: str | None) -> Fetch:
    """Fetch through jgo, from the repository it knows or from ``mirror``; jgo's own checks are warnings only."""

    def fetch(jar: Jar, folder: Path) -> Path:
        try:
            from jgo.maven import MavenContext  # noqa: PLC0415 - heavy, and needed on the first start only
        except ModuleNotFoundError:
            raise PlatformFailure(
                "the embedded Kafka is not installed; pip install 'mesh-backbone[embedded]'"
            ) from None
        remotes = {"central": mirror.rstrip("/")} if mirror else None
        context = MavenContext(repo_cache=folder, local_repos=[], remote_repos=remotes)
        return Path(context.project(jar.group, jar.artifact).at_version(jar.version).artifact().resolve())

    logging.getLogger("jgo").addHandler(logging.NullHandler())
    return fetch
