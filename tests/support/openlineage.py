"""OpenLineage events under the official schemas, offline, and read back as a graph."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

import mesh.lineage.openlineage

ROOT = Path(__file__).parents[2]
STANDARD = ROOT / "tests" / "conformance" / "standards" / "openlineage"
OWN = Path(mesh.lineage.openlineage.__file__).parent / "schemas"
_PLACES = ("facets", "inputFacets", "outputFacets")


@cache
def _schemas() -> Registry[Any]:
    files = [STANDARD / "OpenLineage.json", *STANDARD.glob("facets/*.json"), *OWN.glob("*.json")]
    contents = [json.loads(file.read_text("utf-8")) for file in files]
    return Registry().with_resources((each["$id"], Resource.from_contents(each)) for each in contents)


@cache
def _validator(url: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": url}, registry=_schemas(), format_checker=Draft202012Validator.FORMAT_CHECKER)


def faults(event: Mapping[str, Any]) -> list[str]:
    """What the standard has against an event and each of its facets; a facet without a schema is an error, too.

    An event without a run is judged as a job event: under the whole schema it would pass as either.
    """
    kind = "RunEvent" if "run" in event else "JobEvent"
    found = _faults(f"https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/{kind}", event, "event")
    if not event["schemaURL"].endswith(f"/{kind}"):
        found.append(f"event: its schemaURL is not that of a {kind}")
    for where, key, facet in facets(event):
        url = facet["_schemaURL"]
        found += _faults(url, facet, f"{where}.{key}")
        # The whole schema of the file says under which key the facet hangs.
        found += _faults(url.partition("#")[0], {key: facet}, f"{where}.{key} by its key")
        if key not in _schemas().contents(url.partition("#")[0])["properties"]:
            found.append(f"{where}.{key}: {url} is of another key")
    return found


def _faults(url: str, instance: Any, where: str) -> list[str]:
    return [f"{where}: {error.json_path}: {error.message[:200]}" for error in _validator(url).iter_errors(instance)]


def facets(event: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Every facet with where it hangs and its key."""
    parts = [("run", event.get("run", {})), ("job", event["job"])]
    parts += [(f"inputs[{at}]", each) for at, each in enumerate(event["inputs"])]
    parts += [(f"outputs[{at}]", each) for at, each in enumerate(event["outputs"])]
    for where, part in parts:
        for place in _PLACES:
            for key, facet in part.get(place, {}).items():
                yield f"{where}.{place}", key, facet


def graph(events: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """What a reader folds: of each job the datasets and columns, the latest event replacing what came before."""
    found: dict[str, Any] = {}
    for event in sorted(events, key=lambda each: str(each["eventTime"])):
        job = f"{event['job']['namespace']}/{event['job']['name']}"
        found[job] = {
            "inputs": sorted(each["name"] for each in event["inputs"]),
            "outputs": sorted(each["name"] for each in event["outputs"]),
            "columns": {
                (output["name"], field): [(each["name"], each["field"]) for each in told["inputFields"]]
                for output in event["outputs"]
                for field, told in output["facets"].get("columnLineage", {}).get("fields", {}).items()
            },
        }
    return found
