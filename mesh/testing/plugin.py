"""The pytest plugin: contracts as tests, an item for each golden record and each clause.

Nothing is collected unless somebody asks: ``mesh_contracts = contracts`` in the ini file, or ``--mesh-contracts PATH``.
``--mesh-against REV`` (``mesh_against``) also proves the step from the last version.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from mesh.contract import Contract
    from mesh.testing.cases import Case
    from mesh.testing.clock import FrozenClock
    from mesh.types import Finding

# As in mesh.contract.document, which other people's test runs shall not import for it.
_SUFFIX: Final = ".odcs.yaml"


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options and their lines in the ini file."""
    group = parser.getgroup("mesh", "contracts of the mesh")
    group.addoption("--mesh-contracts", action="append", metavar="PATH", help="Prove contracts: a file or folder.")
    group.addoption("--mesh-against", metavar="REV", help="Also prove the step from a git revision, file or folder.")
    parser.addini("mesh_contracts", "Files and folders of contracts to prove.", type="paths", default=[])
    parser.addini("mesh_against", "What --mesh-against says.", default="")


def pytest_configure(config: pytest.Config) -> None:
    """Let pytest look at the contracts too, unless the person named what to run."""
    named = config.getoption("--mesh-contracts") or []
    asked = [str(config.invocation_params.dir / path) for path in named]
    if config.args_source is not pytest.Config.ArgsSource.ARGS:
        asked += [str(path) for path in config.getini("mesh_contracts")]
    around = [config.invocation_params.dir / arg.partition("::")[0] for arg in config.args]
    config.args += [path for path in asked if not any(Path(path).is_relative_to(above) for above in around)]


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """A document that somebody asked for."""
    if not file_path.name.endswith(_SUFFIX):
        return None
    config = parent.config
    named = [config.invocation_params.dir / path for path in config.getoption("--mesh-contracts") or []]
    if any(file_path.is_relative_to(path.resolve()) for path in (*named, *config.getini("mesh_contracts"))):
        return ContractFile.from_parent(parent, path=file_path)
    return None


class ContractFile(pytest.File):
    """One document."""

    def collect(self) -> Iterator[ContractItem]:
        """The cases of the document and of its golden records."""
        from mesh.testing.cases import cases_of  # noqa: PLC0415  (pytest loads plugins for everybody)
        from mesh.testing.evolution import Previous  # noqa: PLC0415  (as above)

        against = self.config.getoption("--mesh-against") or self.config.getini("mesh_against")
        for case in cases_of(self.path, Previous(against) if against else None):
            yield ContractItem.from_parent(self, name=f"{case.group}[{case.name}]", case=case)


class ContractItem(pytest.Item):
    """One case."""

    def __init__(self, *, case: Case, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.case = case

    def runtest(self) -> None:
        """Prove it; what cannot be proved is skipped with the reason."""
        outcome = self.case.run()
        if outcome.status == "skipped":
            pytest.skip(outcome.text)
        if outcome.status == "failed":
            raise ContractFailure(outcome.text)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """What the contract says, without a stack trace that would only show the mesh."""
        if isinstance(excinfo.value, ContractFailure):
            return f"{self.case.file}:{self.case.line}: {self.case.name}\n{excinfo.value}"
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where it stands; pytest counts lines from 0."""
        return self.case.file, self.case.line - 1, self.name


class ContractFailure(AssertionError):
    """A case that failed; the text is for people."""


@pytest.fixture(scope="session")
def mesh_contract() -> Callable[[str | Path], Contract]:
    """Reads a contract: ``mesh_contract("contracts/weather/observations.odcs.yaml")``."""
    from mesh.contract import Contract  # noqa: PLC0415  (pytest loads plugins for everybody)

    return lambda path: Contract.read(Path(path))


@pytest.fixture(scope="session")
def judge_records() -> Callable[[Contract, Iterable[Mapping[str, Any]]], list[tuple[Finding, ...]]]:
    """Judges records as a gate would: ``judge_records(contract, records)`` gives the findings of each."""
    from mesh.testing.judging import OfflineJudge  # noqa: PLC0415  (pytest loads plugins for everybody)

    def judged(contract: Contract, records: Iterable[Mapping[str, Any]]) -> list[tuple[Finding, ...]]:
        judge = OfflineJudge(contract)
        return [judge.findings(record) for record in records]

    return judged


@pytest.fixture
def frozen_clock() -> FrozenClock:
    """A clock that stands still until the test moves it."""
    from mesh.testing.clock import FrozenClock  # noqa: PLC0415  (pytest loads plugins for everybody)

    return FrozenClock()
