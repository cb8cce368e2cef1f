"""The gate: the one writer of public topics. It judges, routes and records in one transaction.

Names are imported when they are first used: who works a quarantine does not load the gate's loop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mesh.deferred import deferred

if TYPE_CHECKING:
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

_HOMES = {
    "Breach": "mesh.gate.measure",
    "ContractSource": "mesh.gate.ports",
    "GateIdentity": "mesh.gate.run",
    "GateView": "mesh.gate.view",
    "Limits": "mesh.gate.standing",
    "Look": "mesh.gate.view",
    "Measured": "mesh.gate.sets",
    "RowMeter": "mesh.gate.rows",
    "SchemaSource": "mesh.gate.ports",
    "SetBreach": "mesh.gate.sets",
    "Standing": "mesh.gate.standing",
    "State": "mesh.gate.standing",
    "build_identity": "mesh.lineage.build",
    "run_gate": "mesh.gate.run",
}

if not TYPE_CHECKING:
    __getattr__, __dir__ = deferred(__name__, _HOMES)
