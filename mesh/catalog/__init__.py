"""The authoritative register of products: which contracts are applied, from where, by whom."""

from mesh.catalog.catalog import Catalog
from mesh.catalog.entries import RETIRED, Entry

__all__ = ["RETIRED", "Catalog", "Entry"]
