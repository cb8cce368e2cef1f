"""Outcomes as JUnit XML: a suite for each file, a case for each thing proved."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from mesh.testing.cases import Outcome, Status

# XML has no way to write them.
_CONTROL = dict.fromkeys(code for code in range(32) if code not in (9, 10, 13))


def junit(outcomes: Sequence[Outcome]) -> str:
    """The report as text, in the form of Apache Ant's task that CI systems read."""
    root = ElementTree.Element("testsuites", name="mesh contract test")
    for file in dict.fromkeys(outcome.case.file for outcome in outcomes):
        _suite(root, file, [outcome for outcome in outcomes if outcome.case.file == file])
    for name in ("tests", "failures", "errors", "skipped"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in root)))
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _suite(root: ElementTree.Element, file: Path, outcomes: Sequence[Outcome]) -> None:
    suite = ElementTree.SubElement(root, "testsuite", name=str(file))
    for outcome in outcomes:
        _case(suite, outcome)
    of_status = [outcome.status for outcome in outcomes]
    counts = {"failures": of_status.count(Status.FAILED), "skipped": of_status.count(Status.SKIPPED)}
    for name, count in {"tests": len(outcomes), "errors": 0, **counts}.items():
        suite.set(name, str(count))
    suite.set("time", f"{sum(outcome.seconds for outcome in outcomes):.3f}")


def _case(suite: ElementTree.Element, outcome: Outcome) -> None:
    case = outcome.case
    names = {"name": f"{case.group}: {case.name}", "classname": str(case.file), "file": str(case.file)}
    node = ElementTree.SubElement(
        suite, "testcase", {**names, "line": str(case.line), "time": f"{outcome.seconds:.3f}"}
    )
    text = outcome.text.translate(_CONTROL)
    if outcome.status is Status.FAILED:
        ElementTree.SubElement(node, "failure", message=text.partition("\n")[0], type=case.group).text = text
    elif outcome.status is Status.SKIPPED:
        ElementTree.SubElement(node, "skipped", message=text)
    elif text:
        ElementTree.SubElement(node, "system-out").text = text
