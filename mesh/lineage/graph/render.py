"""The graph as a picture: Mermaid for Markdown, DOT for Graphviz. Labels are quoted, so that no name ends one."""

from __future__ import annotations

from collections.abc import Iterator

from mesh.lineage.graph.topology import Grade, Graph, ProductNode
from mesh.types import Topic


def as_mermaid(graph: Graph) -> str:
    """A flowchart from left to right; edges that are only declared are dotted."""
    names = {each.topic: f"p{number}" for number, each in enumerate(graph.products)}
    lines = ["flowchart LR"]
    lines += [f'  {names[each.topic]}["{_mermaid(_label(each, "<br/>"))}"]' for each in graph.products]
    for number, (processor, target, sources) in enumerate(_processors(graph)):
        lines.append(f'  x{number}(["{_mermaid(processor)}"])')
        for source, grade in sources:
            arrow = "-.->" if grade is Grade.DECLARED else "-->"
            lines.append(f"  {names[source]} {arrow} x{number}")
        lines.append(f"  x{number} --> {names[target]}")
    return "\n".join(lines) + "\n"


def as_dot(graph: Graph) -> str:
    """A directed graph; boxes are products, ellipses processors, dashed edges are only declared."""
    lines = ["digraph lineage {", "  rankdir=LR;", "  node [shape=box];"]
    lines += [f'  "{_dot(each.topic)}" [label="{_dot(_label(each, chr(10)))}"];' for each in graph.products]
    for processor, target, sources in _processors(graph):
        node = _dot(f"{processor} -> {target}")
        lines.append(f'  "{node}" [shape=ellipse, label="{_dot(processor)}"];')
        for source, grade in sources:
            style = " [style=dashed]" if grade is Grade.DECLARED else ""
            lines.append(f'  "{_dot(source)}" -> "{node}"{style};')
        lines.append(f'  "{node}" -> "{_dot(target)}";')
    return "\n".join([*lines, "}"]) + "\n"


def _processors(graph: Graph) -> Iterator[tuple[str, Topic, list[tuple[Topic, Grade]]]]:
    """Each processor once for every product it makes, with what it makes that from."""
    for processor, target in dict.fromkeys((hop.processor, hop.target) for hop in graph.hops):
        same = [hop for hop in graph.hops if (hop.processor, hop.target) == (processor, target)]
        yield processor, target, [(hop.source, hop.grade) for hop in same]


def _label(node: ProductNode, newline: str) -> str:
    rate = f"{node.rate:,.1f}/s" if node.rate else ""
    return newline.join(filter(None, (f"{node.product} {node.version}", node.owner, rate)))


def _mermaid(text: str) -> str:
    quoted = text.replace("&", "#amp;").replace('"', "#quot;").replace("<br/>", "\n")
    return quoted.replace("<", "#lt;").replace(">", "#gt;").replace("\n", "<br/>")


def _dot(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
