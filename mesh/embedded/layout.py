"""The part of a cluster that must outlive restarts, planned at the first start and remembered beside its data."""

from __future__ import annotations

import base64
import json
import secrets
import uuid
from dataclasses import asdict, replace
from pathlib import Path

from mesh.embedded.files import disk_faults, private_folder, write_private
from mesh.embedded.ports import free_ports
from mesh.embedded.properties import Layout, Node
from mesh.errors import PlatformFailure

_FILE = "cluster.json"


def planned(nodes: int, port: int | None) -> Layout:
    """A new cluster on free ports; ``port`` fixes where clients reach the first node."""
    ports = iter(free_ports(3 * nodes))
    members = [Node(number, next(ports), next(ports), next(ports), _kafka_uuid()) for number in range(1, nodes + 1)]
    if port is not None:
        members[0] = replace(members[0], client=port)
    return Layout(_kafka_uuid(), tuple(members), secrets.token_urlsafe(24))


def remembered(folder: Path, nodes: int, port: int | None) -> Layout:
    """The layout kept in ``folder``, or a new one that is kept from now on; ``port`` moves the first node's.

    Raises PlatformFailure when the folder holds a cluster of another size or cannot be read or written.
    """
    kept = _load(folder / _FILE)
    if kept is None:
        layout = planned(nodes, port)
    elif len(kept.nodes) != nodes:
        raise PlatformFailure(
            f"{folder} holds a cluster of {len(kept.nodes)} node(s), not {nodes}; use another folder for it"
        )
    else:
        layout = _moved(kept, port)
    if layout != kept:
        with disk_faults(folder):
            private_folder(folder)
            write_private(folder / _FILE, json.dumps(asdict(layout), indent=2) + "\n")
    return layout


def _moved(layout: Layout, port: int | None) -> Layout:
    first = layout.nodes[0]
    return replace(layout, nodes=(replace(first, client=port or first.client), *layout.nodes[1:]))


def _load(path: Path) -> Layout | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        nodes = tuple(Node(**node) for node in content["nodes"])
        return Layout(content["cluster_id"], nodes, content["internal_password"])
    except FileNotFoundError:
        return None
    except OSError as fault:
        raise PlatformFailure(f"cannot read {path}: {fault.strerror}") from None
    except (ValueError, KeyError, TypeError):
        raise PlatformFailure(f"{path} is damaged; restore it, or start afresh in another folder") from None


def _kafka_uuid() -> str:
    """A UUID as Kafka writes it; one that begins with a hyphen would be taken for an option."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
        if not text.startswith("-"):
            return text
