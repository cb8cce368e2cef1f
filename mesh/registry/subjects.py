"""Routes of subjects and their versions: register, look up, read, delete, and would it fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from mesh.registry import decisions
from mesh.registry.exchange import Call, ConfluentJson, reads, writes
from mesh.registry.records import SchemaVersion
from mesh.registry.refusal import no_schema, no_subject
from mesh.registry.rules import Submission, check_safe, incompatibilities, read_schema
from mesh.registry.state import State
from mesh.registry.text import SchemaText


def register(call: Call) -> Any:
    """POST /subjects/{subject}/versions."""
    submission = Submission.read(call.body)
    made = call.registry.write(lambda state: decisions.register(state, call.subject, submission, call.caller))
    return described(made)


def look_up(call: Call) -> Any:
    """POST /subjects/{subject}: under which id and version is this schema registered here?"""
    text, deleted = read_schema(Submission.read(call.body)), call.flag("deleted")

    def ask(state: State) -> SchemaVersion:
        if not state.versions(call.subject, deleted=deleted):
            raise no_subject(call.subject)
        found = state.find(call.subject, text, deleted=deleted)
        if found is None:
            raise no_schema()
        return found

    return described(call.registry.read(ask))


def subjects(call: Call) -> Any:
    """GET /subjects."""
    only = call.flag("deletedOnly") or call.flag("deleted_only")
    names = call.registry.read(lambda state: state.subjects(deleted=call.flag("deleted"), only_deleted=only))
    prefix = call.query.get("subjectPrefix", "")
    return call.page([name for name in names if name.startswith(prefix)])


def versions(call: Call) -> Any:
    """GET /subjects/{subject}/versions."""
    found = call.registry.read(lambda state: state.versions(call.subject, deleted=True))
    if call.flag("deletedOnly") or call.flag("deleted_only"):
        chosen = [each for each in found if each.deleted]
    else:
        chosen = [each for each in found if call.flag("deleted") or not each.deleted]
    if not chosen:
        raise no_subject(call.subject)
    return call.page([each.version for each in chosen])


def version(call: Call) -> Any:
    """GET /subjects/{subject}/versions/{version}."""
    return described(_version(call))


def bare_schema(call: Call) -> Response:
    """GET /subjects/{subject}/versions/{version}/schema: the text alone."""
    return Response(_version(call).schema, media_type=ConfluentJson.media_type)


def referenced_by(call: Call) -> Any:
    """GET /subjects/{subject}/versions/{version}/referencedby: schemas hold no references here."""
    _version(call)
    return []


def with_metadata(call: Call) -> Any:
    """GET /subjects/{subject}/metadata?key=&value=: the newest version with these properties."""
    wanted = dict(zip(call.repeated.get("key", ()), call.repeated.get("value", ()), strict=False))
    found = call.registry.read(lambda state: state.versions(call.subject, deleted=call.flag("deleted")))
    if not found:
        raise no_subject(call.subject)
    fitting = [each for each in found if wanted.items() <= dict(each.properties).items()]
    if not fitting:
        raise no_schema()
    return described(fitting[-1])


def delete_subject(call: Call) -> Any:
    """DELETE /subjects/{subject}."""
    permanent = call.flag("permanent")
    return call.registry.write(
        lambda state: decisions.delete_subject(state, call.subject, call.caller, permanent=permanent)
    )


def delete_version(call: Call) -> Any:
    """DELETE /subjects/{subject}/versions/{version}."""
    number, permanent = call.path["version"], call.flag("permanent")
    return call.registry.write(
        lambda state: decisions.delete_version(state, call.subject, number, call.caller, permanent=permanent)
    )


def compatible_with_version(call: Call) -> Any:
    """POST /compatibility/subjects/{subject}/versions/{version}."""
    number = call.path["version"]

    def ask(state: State) -> tuple[str, Sequence[SchemaVersion]]:
        if number in ("latest", "-1"):
            return state.level(call.subject), state.versions(call.subject)[-1:]
        return state.level(call.subject), [decisions.version_of(state, call.subject, number)]

    return _compatible(call, *call.registry.read(ask))


def compatible_with_all(call: Call) -> Any:
    """POST /compatibility/subjects/{subject}/versions."""
    return _compatible(
        call, *call.registry.read(lambda state: (state.level(call.subject), state.versions(call.subject)))
    )


def _compatible(call: Call, level: str, earlier: Sequence[SchemaVersion]) -> Any:
    text = read_schema(Submission.read(call.body))
    check_safe(text)
    reasons = incompatibilities(level, text, earlier)
    messages = {"messages": reasons} if call.flag("verbose") else {}
    return {"is_compatible": not reasons} | messages


def _version(call: Call) -> SchemaVersion:
    deleted = call.flag("deleted")
    return call.registry.read(
        lambda state: decisions.version_of(state, call.subject, call.path["version"], deleted=deleted)
    )


def described(found: SchemaVersion) -> dict[str, Any]:
    """A version as clients read it."""
    head = {"subject": found.subject, "version": found.version, "id": found.id}
    kind = {} if found.kind == "AVRO" else {"schemaType": found.kind}
    deleted = {"deleted": True} if found.deleted else {}
    guid = SchemaText.stored(found.schema, found.kind).guid
    return head | {"guid": guid} | kind | dict(found.extra) | {"schema": found.schema} | deleted


ROUTES: tuple[Route, ...] = (
    reads("/subjects", subjects),
    reads("/subjects/{subject}", look_up, "POST"),
    writes("/subjects/{subject}", delete_subject, "DELETE"),
    reads("/subjects/{subject}/metadata", with_metadata),
    reads("/subjects/{subject}/versions", versions),
    writes("/subjects/{subject}/versions", register, "POST"),
    reads("/subjects/{subject}/versions/{version}", version),
    writes("/subjects/{subject}/versions/{version}", delete_version, "DELETE"),
    reads("/subjects/{subject}/versions/{version}/schema", bare_schema),
    reads("/subjects/{subject}/versions/{version}/referencedby", referenced_by),
    reads("/compatibility/subjects/{subject}/versions", compatible_with_all, "POST"),
    reads("/compatibility/subjects/{subject}/versions/{version}", compatible_with_version, "POST"),
)
