"""The quarantine as people work it: what is in it, how it stands, and what they ask the gate to do about it."""

from mesh.gate.quarantine.command import Command, Patch, Verb
from mesh.gate.quarantine.contents import HIDDEN, Contents
from mesh.gate.quarantine.operating import Trial, order, outcomes
from mesh.gate.quarantine.parked import ParkedLog, Waiting
from mesh.gate.quarantine.patching import Patching
from mesh.gate.quarantine.reading import Held, QuarantineLog, Selection
from mesh.gate.quarantine.record import Quarantined
from mesh.gate.quarantine.standing import Standing, State

__all__ = [
    "HIDDEN",
    "Command",
    "Contents",
    "Held",
    "ParkedLog",
    "Patch",
    "Patching",
    "QuarantineLog",
    "Quarantined",
    "Selection",
    "Standing",
    "State",
    "Trial",
    "Verb",
    "Waiting",
    "order",
    "outcomes",
]
