"""The log of a command on stderr: lines for people, or with ``MESH_LOG=json`` one JSON document a line."""

from __future__ import annotations

import json
import logging
import os
import sys
from datetime import UTC, datetime
from typing import Any

_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def json_logs() -> bool:
    """Whether machines read the log."""
    return os.environ.get("MESH_LOG", "").lower() == "json"


def log_to_stderr() -> None:
    """Say what is wrong and nothing else: a healthy command is silent."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if json_logs() else logging.Formatter(_FORMAT))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])


class JsonLines(logging.Formatter):
    """``time`` (UTC, ISO 8601), ``level``, ``logger``, ``message``; of an ``event`` given as extra the fields too."""

    def format(self, record: logging.LogRecord) -> str:
        """One line; an exception comes with its stack in ``error``."""
        told: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        event = getattr(record, "event", None)
        if isinstance(event, dict):
            told |= event
        if record.exc_info:
            told["error"] = self.formatException(record.exc_info)
        return json.dumps(told, ensure_ascii=False, default=str)
