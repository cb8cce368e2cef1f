"""Run events: each holds all inputs, outputs and facets of its job, so that losing any other one loses no edge."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from mesh.contract import Contract
from mesh.lineage.openlineage.facets import (
    Facets,
    assertions,
    derived_columns,
    ownership,
    passed_columns,
    schema_facet,
    symlinks,
    version_facet,
)
from mesh.lineage.openlineage.names import JOB_EVENT, OWN, RUN_EVENT, Naming, facet, producer, run_id
from mesh.lineage.openlineage.window import MINUTE_MS, Job, Window
from mesh.types import ProductName, Topic

Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a job: under one contract version and one build, begun at ``started``, epoch milliseconds."""

    job: Job
    version: str
    build: str
    started: int

    @property
    def id(self) -> str:
        """The same for whoever folds the same records."""
        return run_id(self.started, self.job.namespace, self.job.name, self.version, self.build)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an event needs to know beside the records.

    ``naming`` names a domain's cluster; ``contract`` gives the contract in force of a product, ``edition`` that of one
    version of a topic; None where it is not known.
    """

    naming: Callable[[str], Naming]
    contract: Callable[[ProductName], Contract | None]
    edition: Callable[[Topic, str], Contract | None]


class EventWriter:
    """Makes events of runs."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around

    def event(self, kind: str, run: Run, at: int, window: Window, failure: str = "") -> Event:
        """An event of type ``kind`` at a moment, a complete snapshot of ``window``."""
        run_facets = self._run_facets(run, window)
        if failure:
            run_facets["errorMessage"] = facet(
                "ErrorMessageRunFacet", "1-0-1", message=failure, programmingLanguage="PYTHON"
            )
        told = self._told(run.job, self._around.edition(run.job.topic, run.version), window)
        head = {"eventType": kind, "eventTime": iso(at), "producer": producer(), "schemaURL": RUN_EVENT}
        return {**head, "run": {"runId": run.id, "facets": run_facets}, **told}

    def declaration(self, job: Job, version: str, at: int) -> Event:
        """A job event: what is declared of a job, without any run."""
        told = self._told(job, self._around.edition(job.topic, version), Window(job, at // MINUTE_MS, version, ""))
        for each in told["inputs"]:
            del each["inputFacets"]
        for each in told["outputs"]:
            del each["outputFacets"]
        return {"eventTime": iso(at), "producer": producer(), "schemaURL": JOB_EVENT, **told}

    def _told(self, job: Job, contract: Contract | None, window: Window) -> dict[str, Any]:
        return {
            "job": {"namespace": job.namespace, "name": job.name, "facets": _job_facets(job, contract)},
            "inputs": list(self._inputs(job, contract, window)),
            "outputs": list(self._outputs(job, contract, window)),
        }

    def _run_facets(self, run: Run, window: Window) -> Facets:
        name = f"mesh {'processor' if run.job.processor else 'gate'}"
        engine = facet("ProcessingEngineRunFacet", "1-1-1", version=run.build or "unknown", name=name)
        return {"processing_engine": engine, "mesh_offsets": self._offsets(run.job, window)}

    def _offsets(self, job: Job, window: Window) -> dict[str, Any]:
        topics: dict[tuple[bool, Topic], dict[str, Any]] = {}
        for at, (start, end), records in window.stretches():
            told = topics.setdefault(
                (at.output, at.topic),
                {
                    "namespace": self._naming(at.topic).namespace,
                    "name": at.topic,
                    **({"topicId": str(at.topic_id)} if at.topic_id else {}),
                    "role": "output" if at.output else "input",
                    "partitions": [],
                },
            )
            told["partitions"].append({"partition": at.partition, "from": start, "to": end, "records": records})
        begin = window.minute * MINUTE_MS
        return {
            "_producer": producer(),
            "_schemaURL": f"{OWN}#/$defs/MeshOffsetsRunFacet",
            "windowStart": iso(begin),
            "windowEnd": iso(begin + MINUTE_MS),
            "topics": list(topics.values()),
            "dispositions": dict(window.dispositions),
        }

    def _inputs(self, job: Job, contract: Contract | None, window: Window) -> Iterator[dict[str, Any]]:
        for topic, source in self._sources(job, contract, window).items():
            rows = window.rows(topic, output=False)
            told = {"inputStatistics": facet("InputStatisticsInputDatasetFacet", "1-0-0", rowCount=rows)}
            if not job.processor:
                told |= assertions(contract, window.clauses, rows)
            yield {**self._dataset(topic, source), "inputFacets": told}

    def _outputs(self, job: Job, contract: Contract | None, window: Window) -> Iterator[dict[str, Any]]:
        family = job.family
        if job.processor:
            topics = {family.ingress: window.dispositions["outputs"]}
        else:
            both = (family.public, family.quarantine)
            topics = {topic: window.rows(topic, output=True) for topic in both}
        for topic, rows in topics.items():
            dataset = self._dataset(topic, contract)
            if contract is not None and topic != family.quarantine:
                dataset["facets"] |= self._columns(job, contract)
            told = facet("OutputStatisticsOutputDatasetFacet", "1-0-2", rowCount=rows)
            yield {**dataset, "outputFacets": {"outputStatistics": told}}

    def _columns(self, job: Job, contract: Contract) -> Facets:
        if job.processor:
            return derived_columns(contract, self._located)
        return passed_columns(contract, self._naming(job.topic).namespace)

    def _sources(self, job: Job, contract: Contract | None, window: Window) -> dict[Topic, Contract | None]:
        """The input topics, with their contracts: what is declared, and what was read."""
        if not job.processor:
            return {job.family.ingress: contract}
        inputs = contract.derivation.inputs if contract is not None and contract.derivation else ()
        known = [self._around.contract(each) for each in inputs]
        found: dict[Topic, Contract | None] = {each.topics.public: each for each in known if each is not None}
        read = {topic: self._around.contract(ProductName.parse(name)) for topic, name in window.sources.items()}
        return found | read

    def _dataset(self, topic: Topic, contract: Contract | None) -> dict[str, Any]:
        naming = self._naming(topic)
        facets: Facets = symlinks(naming, topic)
        if contract is not None:
            facets |= schema_facet(contract) | version_facet(contract)
            facets |= ownership("OwnershipDatasetFacet", contract)
        return {"namespace": naming.namespace, "name": topic, "facets": facets}

    def _located(self, product: ProductName) -> tuple[str, str] | None:
        contract = self._around.contract(product)
        if contract is None:
            return None
        return self._around.naming(product.domain).namespace, contract.topics.public

    def _naming(self, topic: Topic) -> Naming:
        return self._around.naming(topic.partition(".")[0])


def _job_facets(job: Job, contract: Contract | None) -> Facets:
    emission = {
        "eventTrigger": "PERIODIC",
        "eventContentMode": "COMPLETE_SNAPSHOT",
        "windowDuration": MINUTE_MS // 1000,
    }
    kind = facet(
        "JobTypeJobFacet",
        "2-0-4",
        processingType="STREAMING",
        integration="MESH",
        jobType="PROCESSOR" if job.processor else "GATE",
        emissionPattern=emission,
    )
    return {"jobType": kind} | (ownership("OwnershipJobFacet", contract) if contract is not None else {})


def iso(moment: int) -> str:
    """Epoch milliseconds as a date-time with its offset."""
    return datetime.fromtimestamp(moment / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
