"""``mesh contract import``: the first document of a product, from what there is of it already."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from mesh.cli.console import emit, note, told
from mesh.cli.contract.sampling import Found, look_at_subject, look_at_topic
from mesh.contract.infer import Origin, draft_of_records, draft_of_schema, read_schema
from mesh.errors import ContractInvalid, NotFound, UsageError
from mesh.producer import open_text
from mesh.producer.sampling import sample_csv, sample_ndjson
from mesh.types import ProductName, ProductTopics

_FILES = ".avsc, .csv, .ndjson or .jsonl, the latter also as .gz or .zip"
_JSON_LINES = (".ndjson", ".jsonl", ".json")


@told
def import_(
    file: Annotated[Path | None, typer.Argument(help=f"A file: {_FILES}.")] = None,
    subject: Annotated[str | None, typer.Option(help="A subject of the registry instead of a file.")] = None,
    topic: Annotated[str | None, typer.Option(help="A live topic instead: its newest records are sampled.")] = None,
    registry: Annotated[str | None, typer.Option(help="URL of the registry; else the configured one.")] = None,
    product: Annotated[str | None, typer.Option(help="<domain>.<product>; else as the topic says.")] = None,
    version: Annotated[str | None, typer.Option(help="Version of the document; else 1.0.0, or as the topic.")] = None,
    sample: Annotated[int, typer.Option(metavar="N", min=1, help="How many records to look at.")] = 10_000,
    no_values: Annotated[
        bool, typer.Option("--no-values", help="Write nothing of the data into the comments.")
    ] = False,
    as_: Annotated[str | None, typer.Option("--as", help="Principal; else the configured one.")] = None,
    output: Annotated[Path | None, typer.Option(help="Write to a file, not to standard output.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite that file.")] = False,
) -> None:
    """Draft a contract from a schema, a subject, a live topic or a file of records; what is open says TODO."""
    if sum(each is not None for each in (file, subject, topic)) != 1:
        raise UsageError(f"name one source: a file ({_FILES}), --subject or --topic")
    if output is not None and output.exists() and not force:
        raise UsageError(f"{output} is there already; write elsewhere, or overwrite it with --force")
    wish = _Wish(product, version, sample, not no_values)
    if file is not None:
        text = _of_file(file, wish)
    elif subject is not None:
        text = _of_found(look_at_subject(subject, registry), wish)
    else:
        text = _of_found(look_at_topic(str(topic), registry, sample, as_), wish)
    if output is None:
        emit(text.rstrip("\n"))
    else:
        output.write_text(text, encoding="utf-8")
        note(f"{output} written; fill in what says TODO, then: mesh contract check {output}")


@dataclass(frozen=True, slots=True)
class _Wish:
    """What the person at the terminal said of the draft."""

    product: str | None
    version: str | None
    sample: int
    values: bool

    def origin(self, source: str, topics: ProductTopics | None = None, **more: Any) -> Origin:
        """Where the draft comes from; raises UsageError where nothing says what it is called."""
        name = ProductName.parse(self.product) if self.product else topics.product if topics else None
        if name is None:
            raise UsageError(f"{source} does not say what the product is called; add --product <domain>.<product>")
        version = self.version or (f"{topics.major}.0.0" if topics and topics.product == name else "1.0.0")
        return Origin(source, name, version, values=self.values, **more)


def _of_file(file: Path, wish: _Wish) -> str:
    kinds = [suffix for suffix in file.suffixes if suffix not in (".gz", ".zip")]
    kind = kinds[-1] if kinds else ""
    if kind == ".avsc":
        return draft_of_schema(wish.origin(file.name), read_schema(_schema_in(file), str(file)))
    if kind != ".csv" and kind not in _JSON_LINES:
        raise UsageError(f"{file}: cannot tell what it holds; name a file {_FILES}")
    table = kind == ".csv"
    origin = wish.origin(file.name, numbers=table)
    with open_text(file) as lines:
        try:
            records = (sample_csv if table else sample_ndjson)(lines, wish.sample)
        except UsageError as error:
            raise UsageError(f"{file}: {error}") from None
    if not records:
        raise UsageError(f"{file} holds no record to learn from")
    return draft_of_records(origin, records)


def _schema_in(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NotFound("file", str(file)) from None
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise ContractInvalid([f"{file}: not a schema in JSON: {error}"]) from None


def _of_found(found: Found, wish: _Wish) -> str:
    if found.skipped:
        note(f"{found.skipped:,} record(s) of {found.source} left out: not of a schema the registry has")
    origin = wish.origin(found.source, found.topics, topic=found.topic)
    if found.schema is None:
        return draft_of_records(origin, found.records)
    return draft_of_schema(origin, read_schema(found.schema, found.source), found.records)
