"""``mesh why``: where a record or the records of a key ended, and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import typer

from mesh.cli.console import emit, emit_json, note, progress, told
from mesh.errors import UsageError
from mesh.inquiry import Inquiry
from mesh.lineage.key_search import MOST, KeySearch
from mesh.lineage.why import Answer, Use
from mesh.settings import Settings
from mesh.types import Coordinate, ProductName


@told
def why(
    record: Annotated[str, typer.Argument(help="<topic>/<partition>/<offset>; with --key a <domain>.<product>.")],
    key: Annotated[str | None, typer.Option(help="All records of this key; JSON where it has several fields.")] = None,
    most: Annotated[int, typer.Option("--most", min=1, help="With --key: offsets to read of each partition.")] = MOST,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Tell where a record ended and what processors did with it; exit code 1 when one is lost."""
    with Inquiry(Settings.load()) as inquiry:
        if key is None:
            answers = [inquiry.why(Coordinate.parse(record))]
            _show(answers, answers[0].as_json(), as_json=as_json)
        else:
            answers = _of_key(inquiry, record, key, most, as_json=as_json)
    if any(each.alarms for each in answers):
        note("a record is lost")
        raise typer.Exit(1)


def _of_key(inquiry: Inquiry, product: str, key: str, most: int, *, as_json: bool) -> list[Answer]:
    if "/" in product:
        raise UsageError(f"{product} is one record; --key asks for those of a product: <domain>.<product>")
    name = ProductName.parse(product)
    with progress(f"records of {name}", None) as advance:
        search, answers = inquiry.why_key(name, key, most, advance)
    document = {"product": product, "whole": search.whole, "denied": list(search.denied), "looked": search.looked}
    _show(answers, document | {"records": [each.as_json() for each in answers]}, as_json=as_json)
    for remark in _remarks(search, most):
        note(remark)
    return answers


def _remarks(search: KeySearch, most: int) -> Iterator[str]:
    if not search.found:
        yield "no record of that key was found"
    if not search.whole:
        yield f"only the newest {most:,} offsets of each partition were read (--most)"
    for topic in search.denied:
        yield f"{topic} may not be read, so what lies only there is left out"


def _show(answers: Sequence[Answer], document: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        emit_json(document)
        return
    for answer in answers:
        for line in lines(answer):
            emit(line)


def lines(answer: Answer) -> Iterator[str]:
    """One answer for people: the record, then a line for each processor that reads it."""
    yield f"{answer.at}  {answer.ending}: {answer.reason}"
    for use in answer.uses:
        yield f"  {use.product}  {use.ending}: {use.reason}{_outputs(use)}"


def _outputs(use: Use) -> str:
    shown = ", ".join(str(each.at) for each in use.outputs[:3])
    more = f" and {len(use.outputs) - 3:,} more (mesh impact)" if len(use.outputs) > 3 else ""
    return f" -> {shown}{more}" if shown else ""
