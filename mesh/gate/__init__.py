"""The gate: the one writer of public topics. It judges, routes and records in one transaction."""

from mesh.gate.measure import Breach
from mesh.gate.ports import ContractSource, SchemaSource
from mesh.gate.rows import RowMeter
from mesh.gate.run import GateIdentity, run_gate
from mesh.gate.sets import Measured, SetBreach
from mesh.gate.standing import Limits, Standing, State
from mesh.gate.view import GateView, Look
from mesh.lineage.build import build_identity

__all__ = [
    "Breach",
    "ContractSource",
    "GateIdentity",
    "GateView",
    "Limits",
    "Look",
    "Measured",
    "RowMeter",
    "SchemaSource",
    "SetBreach",
    "Standing",
    "State",
    "build_identity",
    "run_gate",
]
