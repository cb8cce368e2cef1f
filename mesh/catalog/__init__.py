"""The authoritative register of products: which contracts are applied, from where, by whom."""

from mesh.catalog.catalog import Catalog
from mesh.catalog.entries import RETIRED, Entry
from mesh.catalog.history import DECLARED, declaration_of, declarations, declared
from mesh.catalog.neighbours import Neighbours
from mesh.catalog.readers import Readers, register_reader, registered_readers, withdraw_reader

__all__ = [
    "DECLARED",
    "RETIRED",
    "Catalog",
    "Entry",
    "Neighbours",
    "Readers",
    "declaration_of",
    "declarations",
    "declared",
    "register_reader",
    "registered_readers",
    "withdraw_reader",
]
