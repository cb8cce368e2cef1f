"""The graph of products: which processor makes what from what, column by column, as it was at any instant."""

from mesh.lineage.graph.columns import ColumnEdge, column_sources, column_uses
from mesh.lineage.graph.facts import Activity, Consumption, Declaration, activity_of, consumption_of
from mesh.lineage.graph.render import as_dot, as_mermaid
from mesh.lineage.graph.topology import Graph, Hop, ProductNode, graph_at

__all__ = [
    "Activity",
    "ColumnEdge",
    "Consumption",
    "Declaration",
    "Graph",
    "Hop",
    "ProductNode",
    "activity_of",
    "as_dot",
    "as_mermaid",
    "column_sources",
    "column_uses",
    "consumption_of",
    "graph_at",
]
