"""The page of a product: whole, harmless, and without what is classified."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from mesh.contract import Contract
from mesh.contract.export import html_page
from tests.support.documents import Workbench
from tests.support.exports import NASTY, everything

every_contract = pytest.mark.parametrize("name", sorted(everything()))

HARMLESS = {
    *("html", "head", "meta", "title", "style", "body", "main", "header", "section", "h1", "h2", "p", "span", "strong"),
    *("div", "table", "thead", "tbody", "tr", "th", "td", "code", "pre", "a"),
}
ATTRIBUTES = {"lang", "charset", "name", "content", "scope", "class", "href", "rel"}


class Page(HTMLParser):
    """What a browser would see: elements, attributes, and the text of each kind of element."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: list[tuple[str, str]] = []
        self.strange: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += attrs
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append((self.open[-1] if self.open else "", data))

    def handle_comment(self, data: str) -> None:
        self.strange.append(data)

    def handle_pi(self, data: str) -> None:
        self.strange.append(data)

    def text(self, *within: str) -> str:
        return " ".join(" ".join(text for tag, text in self.texts if not within or tag in within).split())


def page(contract: Contract) -> Page:
    return Page(html_page(contract))


@every_contract
def test_a_page_is_whole_and_nothing_in_it_runs_or_is_loaded(name: str) -> None:
    text = html_page(everything()[name])
    seen = Page(text)
    assert text.startswith("<!DOCTYPE html>\n<html lang=")
    assert seen.open == seen.strange == []
    assert set(seen.elements) <= HARMLESS
    assert {key for key, _ in seen.attributes} <= ATTRIBUTES
    assert all(re.match(r"https?://|mailto:", value or "") for key, value in seen.attributes if key == "href")
    assert not re.search(r"url\(|@import|expression\(", text.partition("</style>")[0])


@every_contract
def test_everything_a_reader_asks_for_is_there(name: str) -> None:
    contract = everything()[name]
    seen = page(contract)
    told = seen.text()
    assert seen.elements.count("h1") == 1
    for wanted in (str(contract.product), contract.version, contract.status, contract.topics.public, contract.id):
        assert wanted in told
    for field in (below for top in contract.fields for below in top.walk()):
        assert f" {field.path} " in f" {seen.text('code')} "
    for clause in contract.clauses:
        assert " ".join(shown(clause.description).split()) in told or clause.kind == "required"
    assert f'mesh.subscribe("{contract.product}"' in told


def shown(text: str) -> str:
    return "".join(each if each.isprintable() or each in "\n\t" else "\ufffd" for each in text)


@every_contract
def test_a_page_is_the_same_every_time(name: str) -> None:
    contract = everything()[name]
    assert html_page(Contract.parse(contract.document.dump())) == html_page(contract)


def test_hostile_texts_are_texts() -> None:
    seen = page(everything()["hostile"])
    wanted = " ".join(shown(NASTY).split())
    for tag in ("h1", "th", "td", "span", "p", "title"):
        assert wanted in seen.text(tag), tag
    assert "\u202e" not in seen.text()


def test_only_web_and_mail_addresses_are_links() -> None:
    def change(source: dict[str, Any]) -> None:
        source["support"] = [
            {"channel": "one", "url": 'https://desk.example.org/?a=1&b="2"'},
            {"channel": "two", "url": "javascript:alert(1)"},
            {"channel": "three", "url": "mailto:desk@example.org"},
            {"channel": "four", "url": "data:text/html,hello"},
        ]

    seen = page(Workbench().contract(change))
    links = [value for key, value in seen.attributes if key == "href"]
    assert links == ['https://desk.example.org/?a=1&b="2"', "mailto:desk@example.org"]
    assert "javascript:alert(1)" in seen.text("td")


def example(value: str, classification: str | None, **more: Any) -> dict[str, Any]:
    field = {"name": f"of_{value}", "logicalType": "string", "examples": [f"{value}-shown"], **more}
    return field if classification is None else field | {"classification": classification}


def test_examples_of_what_is_classified_above_internal_are_never_shown() -> None:
    below = {"logicalType": "object", "properties": [example("nested", "public")]}
    contract = Workbench().fields(
        example("plain", None),
        example("public", "public"),
        example("internal", "internal"),
        example("confidential", "confidential"),
        example("restricted", "restricted"),
        {"name": "record", "classification": "secret", **below},
        {"name": "list", "logicalType": "array", "classification": "secret", "items": below, "required": True},
    )
    contract = Contract.parse(contract.document.dump())
    told = html_page(contract)
    assert [f"{name}-shown" in told for name in ("plain", "public", "internal")] == [True] * 3
    assert [f"{name}-shown" in told for name in ("confidential", "restricted", "nested")] == [False] * 3
    assert told.count("<td>not shown</td>") == 4


def test_values_of_maps_are_shown_and_hidden_like_all_else() -> None:
    def change(source: dict[str, Any]) -> None:
        source["apiVersion"] = "v3.2.0"
        key = {"logicalType": "string"}
        for name, classification in (("open", "public"), ("shut", "restricted")):
            value = {"logicalType": "string", "classification": classification, "examples": [f"{name}-shown"]}
            field = {"name": name, "logicalType": "map", "map": {"key": key, "value": value}}
            source["schema"][0]["properties"].append(field)

    told = html_page(Workbench().contract(change))
    assert "<code>shut{}</code>" in told
    assert "open-shown" in told
    assert "shut-shown" not in told


def test_rules_say_what_happens_when_they_are_broken() -> None:
    contract = everything()["judged"]
    told = page(contract).text("td", "th")
    assert "the record is refused" in told
    warning = {"metric": "nullValues", "id": "w", "mustBe": 0, "description": "usually there"}
    warning["customProperties"] = [{"property": "reaction", "value": "warn"}]
    told = page(Workbench().fields({"name": "x", "logicalType": "integer", "quality": [warning]})).text()
    assert "usually there the record passes, counted w" in told
    assert "Never missing: ref ." in told


def test_a_page_prints_and_follows_the_night() -> None:
    style = page(everything()["flights"]).text("style")
    assert "@media print" in style
    assert "prefers-color-scheme: dark" in style
