"""OpenLineage 2-0-2: run events of gates and processors, folded from what they recorded, and where they are sent."""

from mesh.lineage.openlineage.names import Naming, run_id
from mesh.lineage.openlineage.runs import Runs, declared_events

__all__ = ["Naming", "Runs", "declared_events", "run_id"]
