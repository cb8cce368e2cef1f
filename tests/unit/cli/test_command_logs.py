"""What a command logs: lines for people, documents for machines, nothing when all is well."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

from mesh.cli.logs import JsonLines


def test_a_line_is_one_document_with_the_fields_of_its_event() -> None:
    record = logging.LogRecord("mesh.gate", logging.ERROR, "x.py", 1, "%s is\nlate", ("a.b",), None)
    record.event = {"event": "sla", "clause": "latency"}
    line = JsonLines().format(record)
    assert "\n" not in line
    told = json.loads(line)
    assert (told["level"], told["logger"], told["message"]) == ("error", "mesh.gate", "a.b is\nlate")
    assert (told["event"], told["clause"]) == ("sla", "latency")
    assert told["time"].endswith("+00:00")


def test_an_error_of_a_command_is_a_document_where_machines_read(tmp_path: Path) -> None:
    environment = {name: text for name, text in os.environ.items() if not name.startswith("MESH_")}
    command = [sys.executable, "-m", "mesh", "gate", "run", "--config", str(tmp_path / "none.yaml")]
    told = subprocess.run(
        command, env={**environment, "MESH_LOG": "json"}, capture_output=True, text=True, check=False, timeout=60
    )
    assert told.returncode == 2
    assert told.stdout == ""
    (line,) = told.stderr.splitlines()
    assert json.loads(line)["message"].startswith("cannot read the configuration")
