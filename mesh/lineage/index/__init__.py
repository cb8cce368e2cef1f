"""The forward index and the history of the graph in one SQLite file; derived, and made again by deleting it."""

from mesh.lineage.index.collector import Collector, Sources
from mesh.lineage.index.forward import StoredIndex
from mesh.lineage.index.lookup import Lookup
from mesh.lineage.index.store import Store

__all__ = ["Collector", "Lookup", "Sources", "Store", "StoredIndex"]
