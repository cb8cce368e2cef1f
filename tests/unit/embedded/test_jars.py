from __future__ import annotations

import errno
import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from mesh.embedded.jars import Jar, JarCache, locked_jars, maven_fetch
from mesh.embedded.ports import free_ports
from mesh.errors import PlatformFailure
from tests.support.disk import small_disk

CONTENT = b"PK jar"
JAR = Jar("org.example", "thing", "1.0", hashlib.sha256(CONTENT).hexdigest())


class Source:
    """Stands in for a repository: gives the next of its answers at each fetch."""

    def __init__(self, *answers: bytes | Exception) -> None:
        self.answers, self.asked = list(answers), 0

    def __call__(self, jar: Jar, folder: Path) -> Path:
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        path = folder / jar.file
        path.write_bytes(answer)
        return path


def leftovers(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and path.read_bytes() != CONTENT]


def test_the_lock_names_what_a_broker_needs() -> None:
    needed, everything = locked_jars(), locked_jars(optional=True)
    assert (len(needed), len(everything)) == (34, 46)
    assert all(len(jar.sha256) == 64 for jar in everything)
    assert {"kafka_2.13", "kafka-storage-api", "log4j-core"} <= {jar.artifact for jar in needed}


def test_a_jar_is_fetched_once(tmp_path: Path) -> None:
    source, told = Source(CONTENT), list[Jar]()
    cache = JarCache(tmp_path / "jars", source)
    (path,) = cache.provide([JAR], told.append)
    assert path.read_bytes() == CONTENT
    assert told == [JAR]
    cache.provide([JAR], told.append)
    assert source.asked == 1
    assert told == [JAR]


def test_a_corrupt_download_is_never_kept(tmp_path: Path) -> None:
    cache = JarCache(tmp_path, Source(b"PK jam"), attempts=2)
    with pytest.raises(PlatformFailure, match=r"org\.example:thing:1\.0 came damaged.*nothing was kept"):
        cache.provide([JAR])
    assert leftovers(tmp_path) == []
    assert not cache.path(JAR).exists()


def test_a_corrupt_download_is_tried_again(tmp_path: Path) -> None:
    source = Source(b"", ConnectionError(), CONTENT)
    assert JarCache(tmp_path, source).provide([JAR])[0].read_bytes() == CONTENT
    assert source.asked == 3


def test_a_corrupt_jar_in_the_cache_is_fetched_again(tmp_path: Path) -> None:
    source = Source(CONTENT)
    cache = JarCache(tmp_path, source)
    (path,) = cache.provide([JAR])
    path.write_bytes(CONTENT[:-1])
    assert cache.provide([JAR])[0].read_bytes() == CONTENT
    assert source.asked == 2


def test_without_network_a_corrupt_jar_in_the_cache_is_not_used(tmp_path: Path) -> None:
    cache = JarCache(tmp_path, Source(CONTENT, ConnectionError()), attempts=1)
    (path,) = cache.provide([JAR])
    path.write_bytes(b"altered")
    with pytest.raises(PlatformFailure, match="cannot fetch"):
        cache.provide([JAR])


def test_a_full_disk_is_said_at_once(tmp_path: Path) -> None:
    source = Source(OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(PlatformFailure, match=f"no disk space left in {tmp_path}"):
        JarCache(tmp_path, source).provide([JAR])
    assert source.asked == 1


def test_a_repository_without_the_jar_is_named_as_such(tmp_path: Path) -> None:
    with pytest.raises(PlatformFailure, match="the repository does not give it"):
        JarCache(tmp_path, Source(RuntimeError("404")), attempts=1).provide([JAR])


def test_no_network_at_the_first_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESH_MAVEN", f"http://127.0.0.1:{free_ports(1)[0]}/maven")
    monkeypatch.setenv("MESH_JARS", str(tmp_path / "jars"))
    with pytest.raises(PlatformFailure, match=r"needs the network once.*MESH_MAVEN.*MESH_JARS"):
        JarCache.of_environment().provide(locked_jars())


def test_a_really_full_disk(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "64k") as folder:
        with pytest.raises(PlatformFailure, match="no disk space left"):
            JarCache(folder, Source(b"x" * 200_000)).provide([JAR])
        assert list(folder.iterdir()) == []


def test_nothing_is_fetched_by_looking(tmp_path: Path) -> None:
    fetch: Callable[[Jar, Path], Path] = maven_fetch("http://127.0.0.1:1")
    assert JarCache(tmp_path / "none", fetch).missing([JAR]) == [JAR]
    assert not (tmp_path / "none").exists()
