"""The documents do as they say: their steps are run, and what they name exists."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import typer

import mesh
from mesh import errors
from mesh.cli.app import app
from mesh.embedded.folder import DataFolder
from mesh.embedded.status import status_of
from mesh.settings import Settings
from tests.support.demo import ROOT
from tests.support.snippets import code_spans, snippets, steps
from tests.support.walking import walking
from tests.unit.contract.test_demo_contracts import EXPECTED as DEMO

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
README = ROOT / "README.md"
WALKS = {
    "walk",
    "story",
    "contracts",
    "kit",
    "export",
    "processors",
    "evolution",
    "faust",
    "import",
    "import-live",
    "policy",
    "quarantine",
    "operations",
    "lineage",
    "lineage-graph",
}
MAKEFILES = (ROOT / "Makefile", ROOT / "deploy" / "containers.mk")
PLACES = r"(mesh|contracts|producers|consumers|lineage|deploy|tests|benchmarks|docs|\.ci)/[\w./{},*-]*"

every_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


@pytest.mark.broker
@pytest.mark.timeout(300)
def test_a_first_product_in_ten_minutes(tmp_path: Path) -> None:
    with walking(tmp_path) as walk:
        assert walk.take(steps(README, "walk")) >= 15
        (up,) = walk.started
        assert up.wait(30) == 0, "mesh down did not end the mesh"
        assert status_of(DataFolder(walk.folder / ".mesh")).pid is None


def test_the_page_on_contracts(tmp_path: Path) -> None:
    with walking(tmp_path) as walk:
        assert walk.take(steps(ROOT / "docs" / "contracts.md", "contracts")) >= 2


def test_the_configuration_of_a_cluster_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MESH_PRINCIPAL", raising=False)
    (config,) = (each for each in snippets(ROOT / "docs" / "clusters.md") if each.kind == "file")
    path = tmp_path / config.words
    path.write_text(config.text, encoding="utf-8")
    settings = Settings.load(path)
    assert settings.cluster_of("tides").bootstrap == "kafka.coast.example.org:9093"
    assert settings.cluster_of("weather") == settings.home
    assert settings.secret_path("_mesh.admin") == tmp_path / "secrets" / "_mesh.admin"


@every_document
def test_every_command_and_program_is_run_or_says_why_not(document: Path) -> None:
    for each in snippets(document):
        if each.language in ("bash", "sh", "console", "python") or document == README:
            assert each.kind, f"{each.where} has no comment that says what a test does with it"
        assert not each.walk or each.walk in WALKS, f"{each.where}: no test runs {each.walk}"
        if each.kind == "file":
            assert f"`{each.words}`" in each.prose, f"{each.where}: the text does not name the file to save"


@every_document
def test_excerpts_stand_in_their_files(document: Path) -> None:
    for each in snippets(document):
        if each.kind == "excerpt":
            assert each.text in (ROOT / each.words).read_text(encoding="utf-8"), f"{each.where}: not in {each.words}"


def test_the_demo_table_is_what_the_rules_find_in_the_data() -> None:
    (table,) = (each for each in snippets(README) if each.kind == "demo")
    rows = [re.split(r" {2,}", line) for line in table.text.splitlines()[1:]]
    assert {row[0]: tuple(row[1:4]) for row in rows} == {
        name: (f"{read:,}", f"{read - refused:,}", f"{refused}") for name, (_, read, refused, _) in DEMO.items()
    }
    told = {row[0]: {clause: int(count) for clause, count in re.findall(r"(\S+) (\d+)", row[4])} for row in rows}
    assert told == {name: clauses for name, (*_, clauses) in DEMO.items()}
    text = README.read_text(encoding="utf-8")
    assert f"{sum(read for _, read, *_ in DEMO.values()):,} records {sum(row[2] for row in DEMO.values())}" in text


def test_rates_of_processors_are_those_of_the_stored_results() -> None:
    stored = json.loads((ROOT / "benchmarks" / "results" / "lineage.json").read_text("utf-8"))["variants"]
    loop, faust = (f"{round(stored[name]['records_per_second']['median']):,}" for name in ("map, loop", "map, Faust"))
    readme, page = (each.read_text("utf-8") for each in (README, ROOT / "docs" / "faust.md"))
    assert f"A bare map makes {faust} records a second on Faust\nand {loop} on the loop" in readme
    assert re.search(rf"^\| records a second, a bare map .*\| {loop} \| {faust}; ", page, flags=re.M)


@every_document
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text(encoding="utf-8")):
        path, _, anchor = target.partition("#")
        if path.startswith("https://"):
            continue
        file = document.parent / path if path else document
        assert file.exists(), f"{document.name} links to {target}"
        if anchor:
            assert anchor in anchors(file), f"{document.name} links to {target}"


def anchors(document: Path) -> set[str]:
    """The anchors of a document's headings, as forges make them."""
    heads = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), flags=re.M)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


@every_document
def test_targets_of_make_exist(document: Path) -> None:
    known = {name for file in MAKEFILES for name in re.findall(r"^([a-z-]+):", file.read_text(), flags=re.M)}
    for span in code_spans(document):
        for target in re.findall(r"(?:^|&& |; )make ([a-z-]+)", span):
            assert target in known, f"{document.name}: make {target}"


@every_document
def test_commands_and_options_exist(document: Path) -> None:
    for span in code_spans(document):
        for words in re.findall(r"(?:^|[;&|] |\$ )mesh ([^;&|]+)", span):
            check_command(words.split(), f"{document.name}: `{span}`")


def check_command(words: list[str], where: str) -> None:
    """Follow the words down the command tree; every option must be one of the command they lead to."""
    command: Any = typer.main.get_command(app)
    for word in words:
        if word.startswith("--"):
            known = {option for each in command.params for option in (*each.opts, *each.secondary_opts)}
            assert word.partition("=")[0] in {*known, "--help"}, f"{where}: there is no {word}"
        elif hasattr(command, "commands") and not word.isupper():
            assert word in command.commands, f"{where}: there is no command {word}"
            command = command.commands[word]


@every_document
def test_names_of_the_library_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    for names in re.findall(r"^from mesh import (.+)$", text, flags=re.M):
        assert set(names.split(", ")) <= set(mesh.__all__), f"{document.name}: from mesh import {names}"
    for name in re.findall(r"\bmesh\.(\w+)\(", text):
        assert hasattr(mesh.Mesh, name), f"{document.name}: mesh.{name}(...)"
    for name in re.findall(r"`MESH_([A-Z_]+)", text):
        known = name.split("__")[0].lower() in Settings.model_fields
        assert known or any(f"MESH_{name}" in source for source in sources().values()), f"{document.name}: MESH_{name}"


@every_document
def test_named_files_and_tests_exist(document: Path) -> None:
    tests = {name for text in sources().values() for name in re.findall(r"^ *def (test_\w+)", text, flags=re.M)}
    own = {each.words for each in snippets(document) if each.kind == "file"}
    for span in set(code_spans(document)) - own:
        if re.fullmatch(PLACES, span):
            assert expanded(span), f"{document.name}: there is no {span}"
        if re.fullmatch(r"test_\w+", span):
            assert span in tests, f"{document.name}: there is no {span}"


def expanded(pattern: str) -> bool:
    """Whether every path of ``a/{b,c}.py`` exists; a star stands for any name."""
    braces = re.search(r"\{([^}]*)\}", pattern)
    if braces is None:
        return any(ROOT.glob(pattern.rstrip("/")))
    return all(expanded(pattern.replace(braces[0], each, 1)) for each in braces[1].split(","))


def sources() -> Mapping[Path, str]:
    """The text of every program and test, and of what describes containers."""
    folders = ("mesh", "tests", "producers", "consumers", "deploy")
    found = [
        path for folder in folders for path in (ROOT / folder).rglob("*") if path.suffix in (".py", ".yaml", ".sh")
    ]
    return {path: path.read_text(encoding="utf-8") for path in found if "secrets" not in path.parts}


def test_the_exit_codes_are_the_errors_own() -> None:
    table = re.findall(r"^\| (\d+) \| ", README.read_text(encoding="utf-8"), flags=re.M)
    classes = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, errors.MeshError)]
    assert [int(code) for code in table] == sorted({0, 7, 130, *(each.exit_code for each in classes)})


def test_every_command_is_in_the_table() -> None:
    text = README.read_text(encoding="utf-8")
    for name in command_names(typer.main.get_command(app), "mesh"):
        assert f"`{name}`" in text, f"README.md does not name `{name}`"


def command_names(command: Any, name: str) -> Iterator[str]:
    """The commands below one that do something."""
    if not hasattr(command, "commands"):
        yield name
        return
    for word, inner in command.commands.items():
        yield from command_names(inner, f"{name} {word}")


def test_the_file_map_has_every_package() -> None:
    told = code_spans(ROOT / "DESIGN.md")
    missing: dict[str, list[str]] = defaultdict(list)
    for path in sorted((ROOT / "mesh").iterdir()):
        name = f"mesh/{path.name}" + ("/" if path.is_dir() else "")
        if path.name[0] not in "_." and path.suffix in ("", ".py") and not any(span.startswith(name) for span in told):
            missing["DESIGN.md"].append(name)
    assert not missing
