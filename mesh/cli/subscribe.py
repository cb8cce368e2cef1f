"""``mesh subscribe``: the records of products as NDJSON."""

from __future__ import annotations

import json
import math
import os
import sys
from base64 import b64encode
from collections.abc import Iterable
from datetime import date, datetime, time
from itertools import islice
from typing import Annotated, Any

import typer

from mesh.cli.console import told
from mesh.connection import Mesh
from mesh.consumer import Record


@told
def subscribe(
    products: Annotated[list[str], typer.Argument(help="<domain>.<product>, one or more.")],
    name: Annotated[str, typer.Option(help="Name of the subscription: its consumer group and principal.")],
    purpose: Annotated[str, typer.Option(help="What the data is for; the contracts say which purposes they allow.")],
    as_: Annotated[str | None, typer.Option("--as", help="Principal, if not the subscription's name.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Stop after so many records.")] = None,
    until_end: Annotated[bool, typer.Option("--until-end", help="Stop where the products ended at the start.")] = False,
) -> None:
    """Print records as they come, a JSON object a line; the next run of the same name goes on after them."""
    with (
        Mesh.connect() as mesh,
        mesh.subscribe(*products, name=name, purpose=purpose, principal=as_, until_end=until_end) as subscription,
    ):
        try:
            _write(islice(subscription, limit))
        except BrokenPipeError:
            # The reader of the pipe is gone: the record it did not take must not count as processed.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            subscription.close()


def _write(records: Iterable[Record]) -> None:
    for record in records:
        sys.stdout.write(line(record) + "\n")
        sys.stdout.flush()


def line(record: Record) -> str:
    """A record as one line of JSON: times in ISO 8601, decimals as text, bytes in base64, NaN as text."""
    content = {
        "value": record.value,
        "key": record.key,
        "product": str(record.product),
        "coordinate": str(record.coordinate),
        "event_time": record.event_time,
    }
    try:
        return json.dumps(content, default=_plain, ensure_ascii=False, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(content), default=_plain, ensure_ascii=False)


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, date | time):
        return value.isoformat()
    return b64encode(value).decode() if isinstance(value, bytes) else str(value)


def _finite(value: Any) -> Any:
    """The same with numbers that JSON does not have as text."""
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
