from __future__ import annotations

import socket

import pytest

from mesh.embedded.ports import answers, free_ports, require_free
from mesh.errors import PlatformFailure


def test_free_ports_are_different_and_free() -> None:
    ports = free_ports(9)
    assert len(set(ports)) == 9
    for port in ports:
        require_free(port, "a test", "--port")
        assert not answers(port)


def test_a_port_in_use_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert answers(port)
        with pytest.raises(PlatformFailure, match=f"port {port} for the registry is in use.*--registry-port"):
            require_free(port, "the registry", "--registry-port")
