"""From contracts to a cluster: read what is, diff it with what should be, apply or only show."""

from mesh.plan.apply import apply, check
from mesh.plan.changes import Change
from mesh.plan.desired import Desired, desired
from mesh.plan.diff import Observed, Plan, diff
from mesh.plan.folder import Folder
from mesh.plan.observed import observe, survey
from mesh.plan.site import Site, by_cluster

__all__ = [
    "Change",
    "Desired",
    "Folder",
    "Observed",
    "Plan",
    "Site",
    "apply",
    "by_cluster",
    "check",
    "desired",
    "diff",
    "observe",
    "survey",
]
