"""Processors: programs that read products and publish derived ones, with the parents of every record."""

from mesh.stream.arrival import Arrival, Changes, Fate, Names, Outcome, Output, Place, Punctuation, reference_of
from mesh.stream.declared import Window
from mesh.stream.engine import Engine, Input
from mesh.stream.processor import Processor
from mesh.stream.scope import Scope
from mesh.stream.step import Step
from mesh.stream.tables import Table, Tables, Waiting
from mesh.stream.task import ProcessingFailed, Task

__all__ = [
    "Arrival",
    "Changes",
    "Engine",
    "Fate",
    "Input",
    "Names",
    "Outcome",
    "Output",
    "Place",
    "ProcessingFailed",
    "Processor",
    "Punctuation",
    "Scope",
    "Step",
    "Table",
    "Tables",
    "Task",
    "Waiting",
    "Window",
    "reference_of",
]
