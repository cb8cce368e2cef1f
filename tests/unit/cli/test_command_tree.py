"""Commands are imported when they are asked for, and every one of them can be."""

from __future__ import annotations

import subprocess
import sys

import typer

from mesh.cli.app import app


def test_every_command_is_there() -> None:
    tree = typer.main.get_command(app)
    for name, command in tree.commands.items():  # type: ignore[attr-defined]
        assert command.name == name
        assert command.help or command.callback.__doc__


def test_the_version_needs_neither_kafka_nor_numpy() -> None:
    code = "import sys; from mesh.cli.app import app; app(['--version'], standalone_mode=False); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "mesh.cli.app" in loaded
    assert not {"confluent_kafka", "numpy", "fastavro", "mesh.contract"} & loaded
