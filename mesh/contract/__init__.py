"""Contracts: what a product promises, read from its ODCS document. Pure: no Kafka, no network."""

from mesh.contract.avro import AvroSchema
from mesh.contract.clauses import Clause, ClauseKind, SetRule
from mesh.contract.contract import Contract
from mesh.contract.document import Document
from mesh.contract.expression import Expression
from mesh.contract.fields import Field, PhysicalType
from mesh.contract.roles import Role

__all__ = [
    "AvroSchema",
    "Clause",
    "ClauseKind",
    "Contract",
    "Document",
    "Expression",
    "Field",
    "PhysicalType",
    "Role",
    "SetRule",
]
