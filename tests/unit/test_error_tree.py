"""The error tree is what its drawing says, and every class says whether a retry helps and how a command ends."""

from __future__ import annotations

import inspect
import pickle

from mesh import errors
from mesh.errors import (
    BrokerUnreachable,
    ContractViolation,
    Fenced,
    MeshError,
    NotAuthorised,
    PermanentError,
    RetriableError,
)
from mesh.types import Finding


def classes() -> list[type[MeshError]]:
    found = [each for _, each in inspect.getmembers(errors, inspect.isclass)]
    return [each for each in found if issubclass(each, MeshError) and each.__module__ == "mesh.errors"]


def test_every_class_is_drawn_with_its_exit_code() -> None:
    drawing = errors.__doc__ or ""
    for each in classes():
        lines = [
            line
            for line in drawing.splitlines()
            if f"── {each.__name__} " in f"{line} " or line.strip() == each.__name__
        ]
        assert lines, f"{each.__name__} is not drawn"
        if each not in (MeshError, RetriableError, PermanentError):
            assert f"exit {each.exit_code}" in lines[0], each.__name__


def test_a_class_is_retriable_if_and_only_if_it_is_on_that_branch() -> None:
    for each in classes():
        assert each.retriable == issubclass(each, RetriableError), each.__name__
        assert each is MeshError or issubclass(each, RetriableError) != issubclass(each, PermanentError)


def test_messages_say_what_where_and_what_to_do() -> None:
    unreachable = BrokerUnreachable("127.0.0.1:9", "refused")
    assert str(unreachable) == "cannot reach Kafka at 127.0.0.1:9: refused; is the mesh up? (mesh status)"
    assert (
        NotAuthorised("weather", "write to a.b.v1", "TOPIC_AUTHORIZATION_FAILED").code == "TOPIC_AUTHORIZATION_FAILED"
    )
    assert Fenced("_mesh.gate.default.0").identity == "_mesh.gate.default.0"


def test_a_violation_carries_every_finding() -> None:
    findings = [Finding("a.maximum", "a", "5 is above 4"), Finding("whole", "", "does not hold")]
    error = ContractViolation("a.b", findings)
    assert error.findings == tuple(findings)
    assert "a.maximum at a: 5 is above 4" in str(error)
    assert "whole at the record: does not hold" in str(error)


def test_errors_survive_a_process_boundary() -> None:
    error = MeshError("one sentence")
    assert str(pickle.loads(pickle.dumps(error))) == "one sentence"  # noqa: S301 - our own bytes
