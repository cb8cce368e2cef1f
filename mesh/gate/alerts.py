"""Alerts to the support channels of a contract: one line of text by webhook, whatever comes of it."""

from __future__ import annotations

import json
import logging
import threading
import urllib.request
from http.client import HTTPException
from typing import Final

from mesh.contract import Contract
from mesh.gate.breaker import alarm

logger = logging.getLogger(__name__)

_SECONDS: Final = 5.0


def alert(contract: Contract, partition: int, reason: str) -> None:
    """Log it, and post ``{"text": ...}`` to every support channel that has an http address, beside the gate's work."""
    text = alarm(contract, partition, reason)
    logger.error("%s", text)
    for channel in contract.document.source.get("support", ()):
        url = str(channel.get("url", ""))
        if url.startswith(("http://", "https://")):
            threading.Thread(target=_post, args=(url, text), daemon=True, name="alert").start()


def _post(url: str, text: str) -> None:
    """An address that does not answer is the channel's trouble, never the gate's."""
    body = json.dumps({"text": text}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310  (http, asked before)
    try:
        urllib.request.urlopen(request, timeout=_SECONDS).close()  # noqa: S310
    except (OSError, ValueError, HTTPException) as error:
        logger.warning("the alert did not reach %s: %s", url.partition("?")[0], error)
