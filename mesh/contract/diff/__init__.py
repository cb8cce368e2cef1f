"""What changes between two contracts: whom it breaks, in which direction, and the version step it requires."""

from mesh.contract.diff.change import Change, Diff, Effect, Step, Way
from mesh.contract.diff.compare import diff
from mesh.contract.diff.direction import Decide, way_of

__all__ = ["Change", "Decide", "Diff", "Effect", "Step", "Way", "diff", "way_of"]
