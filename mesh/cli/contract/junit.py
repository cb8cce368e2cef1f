"""Inspections as JUnit XML, which every CI system shows: a test case for each document and group of checks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from mesh.contract.inspection import Inspection
from mesh.contract.remark import Group
from mesh.errors import UsageError

_CONTROL = dict.fromkeys(code for code in range(32) if code not in (9, 10, 13))


def junit(inspections: Sequence[Inspection], groups: Sequence[Group]) -> str:
    """The report as text; ``groups`` are those that were checked.

    The format is that of Apache Ant's task, as CI systems read it: ``testsuites/testsuite/testcase``, an error is a
    ``failure``, a warning goes to ``system-out``, a group that could not be checked is ``skipped``.
    """
    root = ElementTree.Element("testsuites", name="mesh contract check")
    for inspection in inspections:
        _suite(root, inspection, groups)
    for name in ("tests", "failures", "errors", "skipped"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in root)))
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def write_junit(path: Path, text: str) -> None:
    """Write a report, its folder too; raises UsageError if that cannot be done."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}; name another file with --junit") from None


def _suite(root: ElementTree.Element, inspection: Inspection, groups: Sequence[Group]) -> None:
    suite = ElementTree.SubElement(root, "testsuite", name=inspection.file)
    for group in groups:
        _case(suite, inspection, group)
    counts = {"tests": len(groups), "failures": len(suite.findall("*/failure")), "errors": 0}
    for name, count in (counts | {"skipped": len(suite.findall("*/skipped"))}).items():
        suite.set(name, str(count))


def _case(suite: ElementTree.Element, inspection: Inspection, group: Group) -> None:
    case = ElementTree.SubElement(
        suite, "testcase", name=group.value, classname=inspection.file, file=inspection.file, time="0"
    )
    found = inspection.of(group)
    errors = [remark for remark in found if remark.refuses]
    warnings = [remark for remark in found if not remark.refuses]
    if errors:
        message = errors[0].message if len(errors) == 1 else f"{len(errors)} findings"
        failure = ElementTree.SubElement(case, "failure", message=_clean(message), type=group.value)
        failure.text = _clean("\n".join(map(str, errors)))
    elif not inspection.reached(group):
        ElementTree.SubElement(case, "skipped", message="not checked: the findings of the other groups come first")
    if warnings:
        ElementTree.SubElement(case, "system-out").text = _clean("\n".join(f"warning: {remark}" for remark in warnings))


def _clean(text: str) -> str:
    """XML has no way to write control characters."""
    return text.translate(_CONTROL)
