"""Routes of schemas by their id: what data carries in its first bytes."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from mesh.registry.exchange import Call, ConfluentJson, reads
from mesh.registry.records import SchemaVersion
from mesh.registry.refusal import no_schema
from mesh.registry.state import State
from mesh.registry.text import SchemaText


def by_id(call: Call) -> Any:
    """GET /schemas/ids/{id}."""
    text, highest = call.registry.read(lambda state: (_known(state, call), state.highest_id))
    return _described(text) | ({"maxId": highest} if call.flag("fetchMaxId") else {})


def by_guid(call: Call) -> Any:
    """GET /schemas/guids/{guid}."""

    def ask(state: State) -> SchemaText:
        found = state.id_of_guid(call.path["guid"].lower())
        text = None if found is None else state.text(found)
        if text is None:
            raise no_schema(f"Schema {call.path['guid'][:40]}")
        return text

    return _described(call.registry.read(ask))


def bare_schema(call: Call) -> Response:
    """GET /schemas/ids/{id}/schema: the text alone."""
    text = call.registry.read(lambda state: _known(state, call))
    return Response(text.text, media_type=ConfluentJson.media_type)


def subjects(call: Call) -> Any:
    """GET /schemas/ids/{id}/subjects."""
    return call.page(list(dict.fromkeys(each.subject for each in _uses(call))))


def versions(call: Call) -> Any:
    """GET /schemas/ids/{id}/versions."""
    return call.page([{"subject": each.subject, "version": each.version} for each in _uses(call)])


def types(_: Call) -> Any:
    """GET /schemas/types."""
    return ["AVRO"]


def _described(text: SchemaText) -> dict[str, Any]:
    kind = {} if text.kind == "AVRO" else {"schemaType": text.kind}
    return {"guid": text.guid} | kind | {"schema": text.text}


def _uses(call: Call) -> list[SchemaVersion]:
    def ask(state: State) -> list[SchemaVersion]:
        _known(state, call)
        return state.uses(_id(call), deleted=call.flag("deleted"))

    wanted = call.query.get("subject")
    return [each for each in call.registry.read(ask) if wanted in (None, "", each.subject)]


def _known(state: State, call: Call) -> SchemaText:
    text = state.text(_id(call))
    if text is None:
        raise no_schema(f"Schema {call.path['id'][:20]}")
    return text


def _id(call: Call) -> int:
    given = call.path["id"]
    return int(given) if given.isascii() and given.isdigit() and len(given) < 12 else -1


ROUTES: tuple[Route, ...] = (
    reads("/schemas/types", types),
    reads("/schemas/ids/{id}", by_id),
    reads("/schemas/ids/{id}/schema", bare_schema),
    reads("/schemas/ids/{id}/subjects", subjects),
    reads("/schemas/ids/{id}/versions", versions),
    reads("/schemas/guids/{guid}", by_guid),
)
