"""What the registry's tests share: one that answers on a real socket."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from mesh.registry.credentials import Credentials, Verify
from mesh.registry.exchange import Service
from mesh.registry.log import SchemaLog
from mesh.registry.registry import Registry
from mesh.registry.server import RegistryServer
from mesh.registry.serving import listen

PLATFORM = ("_mesh.admin", "platform-secret")
DOMAIN = ("weather", "weather-secret")


def known(principal: str, password: str) -> bool:
    """The logins of tests without a broker."""
    return (principal, password) in (PLATFORM, DOMAIN)


@contextmanager
def served(log: SchemaLog, verify: Verify = known, *, open_reads: bool = True, port: int = 0) -> Iterator[str]:
    """A registry over ``log`` in a thread; gives its URL."""
    service = Service(Registry(log), Credentials(verify), open_reads)
    server = RegistryServer(service, listen("127.0.0.1", port))
    errors: list[BaseException] = []
    thread = threading.Thread(target=_run, args=(server, errors), daemon=True)
    thread.start()
    try:
        yield server.url
    finally:
        server.stop()
        thread.join(20)
    if errors:
        raise errors[0]


def _run(server: RegistryServer, errors: list[BaseException]) -> None:
    try:
        server.run()
    except BaseException as error:  # noqa: BLE001 - handed to the test's thread
        errors.append(error)
