"""A contract as one page of HTML for people: nothing is loaded, nothing runs, and classified examples are not shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from mesh.contract.contract import Contract
from mesh.contract.export.markup import Markup, code, element, joined, link, paragraph, section, table, written
from mesh.contract.export.page_style import STYLE
from mesh.contract.export.writing import one_line, record_of
from mesh.contract.fields import Field, custom
from mesh.types import Reaction

_REACTIONS: Final = {
    Reaction.QUARANTINE: "the record is refused",
    Reaction.MARK: "the record passes, marked",
    Reaction.WARN: "the record passes, counted",
    Reaction.HOLD_KEY: "the record is refused, later ones of its key wait",
    Reaction.HALT: "the product stops",
}
_COMPATIBILITY: Final = {
    "NONE": "A new version may change the schema in any way.",
    "BACKWARD": "Readers of a new version can read records of the one before.",
    "FORWARD": "Readers of the version before can read records of a new one.",
    "FULL": "Readers and records of a new version and the one before fit each other.",
    "BACKWARD_TRANSITIVE": "Readers of a new version can read records of all versions of this major.",
    "FORWARD_TRANSITIVE": "Readers of all versions of this major can read records of a new one.",
    "FULL_TRANSITIVE": "Readers and records of all versions of this major fit each other.",
    "READERS": "Every subscriber that registered what it reads can go on reading it.",
}


def html_page(contract: Contract) -> str:
    """The whole page. Everything from the document is escaped; links are made of web and mail addresses only."""
    title = contract.document.source.get("name") or str(contract.product)
    body = [
        _header(contract, str(title)),
        section("What it is", *_about(contract.document.source)),
        section("How to read it", *_reading(contract)),
        section("Fields", _fields(contract)),
        section("Rules", *_rules(contract)),
        section("Who may use it, and what for", _roles(contract)),
        section("What is promised", _promises(contract)),
        section("Topics", _topics(contract)),
        section("Version", *_version(contract)),
        section("Whom to ask", *_contacts(contract)),
    ]
    head = joined(
        [
            Markup('<meta charset="utf-8">'),
            Markup('<meta name="viewport" content="width=device-width, initial-scale=1">'),
            Markup('<meta name="color-scheme" content="light dark">'),
            element("title", f"{one_line(title)} ({contract.product})"),
            element("style", Markup(STYLE)),
        ]
    )
    main = element("main", "\n", joined(part for part in body if part), "\n")
    parts = ("\n", element("head", "\n", head, "\n"), "\n", element("body", "\n", main, "\n"), "\n")
    return f"<!DOCTYPE html>\n{written(element('html', *parts, lang='en'))}\n"


def _header(contract: Contract, title: str) -> Markup:
    facts = [
        ("product", code(contract.product)),
        ("version", contract.version),
        ("status", contract.status),
        ("owner", contract.owner),
    ]
    shown = [element("span", f"{name} ", element("strong", value)) for name, value in facts if value]
    purpose = paragraph(contract.description)
    return element(
        "header", "\n", element("h1", title), "\n", element("p", joined(shown, " \u00b7 ")), "\n", purpose, "\n"
    )


def _about(source: Mapping[str, Any]) -> Iterator[Markup]:
    told = source.get("description", {})
    for name, label in (("usage", "Use: "), ("limitations", "Limits: ")):
        if text := one_line(told.get(name)):
            yield element("p", element("strong", label), text)
    tags = [element("span", tag, class_="tag") for tag in source.get("tags", ())]
    yield paragraph(joined(tags, " "))
    definitions = source.get("authoritativeDefinitions", ())
    yield table(["see also", "where"], [(each["type"], link(str(each["url"]))) for each in definitions])


def _reading(contract: Contract) -> Iterator[Markup]:
    purposes = sorted({each for role in contract.roles if role.access == "read" for each in role.purposes})
    purpose = purposes[0] if purposes else "say-what-for"
    program = (
        "from mesh import Mesh\n\n"
        "with Mesh.connect() as mesh:\n"
        f'    with mesh.subscribe("{contract.product}", name="my-service", purpose="{purpose}") as records:\n'
        "        for record in records:\n"
        "            print(record.value)\n"
    )
    yield paragraph("In Python, under a name that a role below holds:")
    yield element("pre", code(program))
    yield paragraph("At a terminal:")
    command = f"mesh subscribe {contract.product} --name my-service --purpose {purpose} --until-end"
    yield element("pre", code(command))


def _fields(contract: Contract) -> Markup:
    heads = ["field", "type", "key and time", "may be missing", "classification", "meaning", "examples"]
    rows = [_field_row(contract, each, hidden) for top in contract.fields for each, hidden in _below(top, hidden=False)]
    return table(heads, rows)


def _below(field: Field, *, hidden: bool) -> Iterator[tuple[Field, bool]]:
    """A field and those below it, each with whether it, or one above it, is classified above internal."""
    secret = hidden or field.sensitive
    yield field, secret
    for child in (*field.fields, *(inner for inner in (field.items, field.values) if inner)):
        yield from _below(child, hidden=secret)


def _field_row(contract: Contract, field: Field, hidden: bool) -> tuple[object, ...]:
    node = _at(contract.document.source, field.place)
    roles = []
    if field.path in contract.key_fields:
        roles.append(f"key {contract.key_fields.index(field.path) + 1}" if len(contract.key_fields) > 1 else "key")
    if field.path == contract.event_time:
        roles.append("event time")
    examples = [] if hidden else [code(each) for each in node.get("examples", ())]
    return (
        code(field.path),
        _type(field),
        ", ".join(roles),
        "" if field.required else "yes",
        field.classification or "",
        _meaning(field, node),
        "not shown" if hidden and node.get("examples") else joined(examples, ", "),
    )


def _type(field: Field) -> Markup:
    symbols = [str(each) for each in field.custom.get("avroSymbols") or field.choices]
    shown = field.logical_type if field.physical_type == field.logical_type else f"{field.logical_type}, "
    parts: list[object] = [shown]
    if shown.endswith(", "):
        parts.append(code(field.physical_type))
    return joined([*parts, f": {', '.join(symbols)}"] if symbols else parts, "")


def _meaning(field: Field, node: Mapping[str, Any]) -> str:
    made = one_line(node.get("transformDescription") or node.get("transformLogic"))
    sources = ", ".join(str(each) for each in node.get("transformSourceObjects", ()))
    parts = [field.description, f"How: {made}" if made else "", f"From: {sources}" if sources else ""]
    return " ".join(part if part.endswith(".") else f"{part}." for part in parts if part)


def _at(source: Any, place: Sequence[str | int]) -> Mapping[str, Any]:
    for step in place:
        source = source[step]
    return source if isinstance(source, Mapping) else {}


def _rules(contract: Contract) -> Iterator[Markup]:
    plain = [each for each in contract.clauses if each.kind == "required" and each.reaction is Reaction.QUARANTINE]
    required = list(dict.fromkeys(code(each.path) for each in plain))
    if required:
        yield element("p", "Never missing: ", joined(required, ", "), ".")
    if contract.headers:
        yield element("p", "Headers of every record: ", joined(map(code, sorted(contract.headers)), ", "), ".")
    others = [each for each in contract.clauses if each not in plain]
    rows = [(each.description, _REACTIONS[each.reaction], code(each.id)) for each in others]
    yield table(["every record keeps", "if it does not", "clause"], rows)
    measured = [(rule.description or rule.metric, code(rule.id)) for rule in contract.set_rules]
    yield table(["measured over many records, refuses none", "rule"], measured)


def _roles(contract: Contract) -> Markup:
    nodes = contract.document.source.get("roles", ())
    rows = [
        (
            role.name,
            one_line(node.get("description")),
            role.access,
            ", ".join(role.purposes) or "any",
            ", ".join(role.principals) or "nobody yet",
            f"{role.max_grant_days} days" if role.max_grant_days else "",
            one_line(node.get("firstLevelApprovers")),
        )
        for role, node in zip(contract.roles, nodes, strict=True)
    ]
    return table(["role", "meaning", "access", "purposes", "held by", "longest grant", "asked from"], rows)


def _promises(contract: Contract) -> Markup:
    nodes = contract.document.source.get("slaProperties", ())
    rows = [
        (
            node["property"],
            " ".join(str(part) for part in (node["value"], node.get("valueExt"), node.get("unit")) if part is not None),
            code(node["element"]) if node.get("element") else "",
            one_line(node.get("driver")),
            one_line(node.get("description")),
        )
        for node in nodes
    ]
    return table(["promise", "value", "about", "for reasons", "meaning"], rows)


def _topics(contract: Contract) -> Markup:
    topics, counted = contract.topics, f"{contract.partitions} partition" + ("s" if contract.partitions > 1 else "")
    retained = contract.topic_config.get("retention.ms")
    kept = "the last record of each key" if contract.cleanup == "compact" else _days(retained)
    rows = [
        (code(topics.public), "read it: records that keep every rule above", counted, kept),
        (code(topics.ingress), "publish to it", counted, _days(contract.ingress_config["retention.ms"])),
        (code(topics.quarantine), "refused records with the reasons, for the owner", "", ""),
    ]
    return table(["topic", "what for", "size", "keeps"], rows)


def _days(milliseconds: str | None) -> str:
    if milliseconds is None:
        return "as the cluster is set"
    return "for ever" if int(milliseconds) < 0 else f"{int(milliseconds) / 86_400_000:g} days"


def _version(contract: Contract) -> Iterator[Markup]:
    record = custom(record_of(contract))
    yield table(
        ["fact", "value"],
        [
            ("contract", code(contract.id)),
            ("version", contract.version),
            ("status", contract.status),
            ("compatibility", f"{contract.compatibility}. {_COMPATIBILITY[contract.compatibility]}"),
            ("a breaking change", f"gets a topic of its own, {contract.product}.v{contract.major + 1}"),
            ("migrations", "described in the contract" if "migrations" in record else ""),
            ("rules and schemas", code(contract.rule_set_digest)),
        ],
    )


def _contacts(contract: Contract) -> Iterator[Markup]:
    source = contract.document.source
    team = source.get("team")
    if isinstance(team, Mapping):
        yield paragraph(": ".join(part for part in (contract.owner, one_line(team.get("description"))) if part))
    members = team.get("members", ()) if isinstance(team, Mapping) else team or ()
    rows = [
        (each.get("name") or each["username"], each.get("role", ""), one_line(each.get("description")))
        for each in members
    ]
    yield table(["person", "role", "meaning"], rows)
    channels = [
        (
            each["channel"],
            each.get("tool", ""),
            link(str(each["url"])) if each.get("url") else "",
            one_line(each.get("description")),
        )
        for each in source.get("support", ())
    ]
    yield table(["channel", "tool", "where", "for"], channels)
