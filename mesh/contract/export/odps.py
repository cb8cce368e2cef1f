"""Contracts as a data product of the Open Data Product Standard 1.0.0 of Bitol."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from mesh.contract.contract import Contract
from mesh.contract.export.writing import Node, given, one_line, only, properties_of, record_of
from mesh.errors import UsageError

API_VERSION: Final = "v1.0.0"

_CUSTOM: Final = ("property", "value", "description")
_DEFINITION: Final = ("type", "url", "description")
_MEMBER: Final = ("username", "name", "description", "role", "dateIn", "dateOut", "replacedByUsername", "tags")
_SUPPORT: Final = ("channel", "url", "description", "tool", "scope", "invitationUrl")
_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+")
_SOURCE: Final = re.compile(r"(?P<topic>(?P<product>[a-z][a-z0-9-]*\.[a-z][a-z0-9-]*)\.v(?P<major>\d+))(?![\w-])")


def odps(contracts: Sequence[Contract], known: Sequence[Contract] = ()) -> Node:
    """The data product that these contracts are the output ports of: one, or several that name one ``dataProduct``.

    The contracts it is made from are the inputs of derivations, and those whose topics fields name in
    ``transformSourceObjects``. They are referred to by id and version where they are among ``known``; inputs of
    derivations are input ports then. Else fields give product name and major, and other inputs are kept by name. What
    ODPS demands and a contract lacks is left out, never invented. Raises UsageError where the contracts are not of one
    product.
    """
    newest, product = _newest(contracts), _identity(contracts)
    source = newest.document.source
    ports = sorted(contracts, key=lambda each: each.topics.public)
    neighbours = _Neighbours([*known, *contracts])
    document: Node = {"apiVersion": API_VERSION, "kind": "DataProduct", "id": product, "status": newest.status}
    document |= given(
        name=source.get("name") or str(newest.product),
        version=newest.version,
        domain=newest.product.domain,
        tenant=source.get("tenant"),
        description=_description(source.get("description", {})),
        tags=source.get("tags"),
        authoritativeDefinitions=_definitions(source),
        inputPorts=_inputs(ports, neighbours),
        outputPorts=[_output(each, neighbours) for each in ports],
        managementPorts=[port for each in ports for port in _management(each)],
        support=list(_support(source)),
        team=_team(source.get("team")),
        customProperties=[*_custom(source), *_channels_without_address(source)],
        productCreatedTs=source.get("contractCreatedTs"),
    )
    return document


def _newest(contracts: Sequence[Contract]) -> Contract:
    if not contracts:
        raise UsageError("name at least one contract; it becomes an output port of the data product")
    return max(contracts, key=_age)


def _age(contract: Contract) -> tuple[list[int], str]:
    return [int(part) for part in contract.version.split(".")], str(contract.product)


class _Neighbours:
    """The contracts that others can be looked up among: by public topic, and the newest of each product."""

    def __init__(self, contracts: Sequence[Contract]) -> None:
        self.by_topic = {str(each.topics.public): each for each in contracts}
        self.newest = {str(each.product): each for each in sorted(contracts, key=_age)}


def _inputs(contracts: Sequence[Contract], neighbours: _Neighbours) -> list[Node]:
    """What the product reads from elsewhere. A port must have a version and an id, so only known contracts are one."""
    own = {str(each.product) for each in contracts}
    wanted = sorted({name for each in contracts for name in _declared(each)} - own)
    return [_port(neighbours.newest[name]) for name in wanted if name in neighbours.newest]


def _port(contract: Contract) -> Node:
    topic = {"property": "topic", "value": str(contract.topics.public)}
    named = {"name": str(contract.product), "version": contract.version, "contractId": contract.id}
    return named | {"customProperties": [topic]}


def _declared(contract: Contract) -> list[str]:
    return [] if contract.derivation is None else [str(each) for each in contract.derivation.inputs]


def _identity(contracts: Sequence[Contract]) -> str:
    names = {_name(contract) for contract in contracts}
    if len(names) > 1:
        told = ", ".join(sorted(names))
        raise UsageError(f"these contracts are of {len(names)} data products ({told}); export each product by itself")
    return names.pop()


def _name(contract: Contract) -> str:
    group = contract.document.source.get("dataProduct")
    return f"{contract.product.domain}.{group}" if group else str(contract.product)


def _description(told: Mapping[str, Any]) -> Node:
    texts = {part: str(told[part]) for part in ("purpose", "limitations", "usage") if told.get(part)}
    return texts | given(authoritativeDefinitions=_definitions(told), customProperties=_custom(told))


def _output(contract: Contract, neighbours: _Neighbours) -> Node:
    record = record_of(contract)
    sources = _sources(contract)
    matches = [match for text in sources if (match := _SOURCE.match(text))]
    known = [each for name in _declared(contract) if (each := neighbours.newest.get(name))]
    inputs = {_input(match, neighbours.by_topic) for match in matches} | {(each.id, each.version) for each in known}
    elsewhere = [text for text in sources if not _SOURCE.match(text)]
    told = {match["product"] for match in matches} | neighbours.newest.keys()
    unknown = [name for name in _declared(contract) if name not in told]
    said: list[Node] = [{"property": "topic", "value": str(contract.topics.public)}]
    said += [{"property": "sourceObjects", "value": elsewhere}] if elsewhere else []
    said += [{"property": "inputs", "value": unknown}] if unknown else []
    return {"name": str(contract.product), "version": contract.version, "type": "kafka"} | given(
        description=one_line(record.get("description")) or contract.description,
        contractId=contract.id,
        inputContracts=[{"id": name, "version": version} for name, version in sorted(inputs)],
        tags=record.get("tags"),
        customProperties=said,
    )


def _sources(contract: Contract) -> list[str]:
    """What its fields say they were made from, each once."""
    named = (
        str(each) for node in properties_of(record_of(contract)) for each in node.get("transformSourceObjects", ())
    )
    return sorted(set(named))


def _input(match: re.Match[str], known: Mapping[str, Contract]) -> tuple[str, str]:
    contract = known.get(match["topic"])
    return (contract.id, contract.version) if contract else (match["product"], match["major"])


def _management(contract: Contract) -> Iterator[Node]:
    topics, product = contract.topics, f"{contract.product}.v{contract.major}"
    for kind, content, told in (
        ("quarantine", "observability", "Refused records, byte for byte, with the verdict in a header."),
        ("lineage", "observability", "One manifest for each transaction of the gate and partition."),
        ("commands", "control", "Replay and discard of refused records."),
    ):
        channel = str(getattr(topics, kind))
        yield {
            "name": f"{product}.{kind}",
            "content": content,
            "type": "topic",
            "channel": channel,
            "description": told,
        }


def _support(source: Mapping[str, Any]) -> Iterator[Node]:
    for node in source.get("support", ()):
        if _URL.fullmatch(str(node.get("url", ""))):
            kept = only(node, _SUPPORT)
            if not _URL.fullmatch(str(kept.get("invitationUrl", ""))):
                kept.pop("invitationUrl", None)
            yield kept | given(customProperties=_custom(node))


def _channels_without_address(source: Mapping[str, Any]) -> list[Node]:
    """Support channels without a URL: the contract standard allows them, this one does not."""
    bare = [only(node, _SUPPORT) for node in source.get("support", ()) if not _URL.fullmatch(str(node.get("url", "")))]
    return [{"property": "supportChannels", "value": bare}] if bare else []


def _team(team: object) -> Node:
    """The team; older documents have only the list of its members."""
    if isinstance(team, list):
        return given(members=[_member(each) for each in team])
    if not isinstance(team, Mapping):
        return {}
    return only(team, ("name", "description", "tags")) | given(
        members=[_member(each) for each in team.get("members", ())],
        customProperties=_custom(team),
        authoritativeDefinitions=_definitions(team),
    )


def _member(node: Mapping[str, Any]) -> Node:
    more = given(customProperties=_custom(node), authoritativeDefinitions=_definitions(node))
    return only(node, _MEMBER) | more


def _custom(node: Mapping[str, Any]) -> list[Node]:
    return [only(each, _CUSTOM) for each in node.get("customProperties", ())]


def _definitions(node: Mapping[str, Any]) -> list[Node]:
    definitions = node.get("authoritativeDefinitions", ())
    return [only(each, _DEFINITION) for each in definitions if _URL.fullmatch(str(each.get("url", "")))]
