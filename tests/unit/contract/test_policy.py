"""Policies: what governance wrote is judged as written, and what it wrote wrongly is told with its line."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from mesh.contract import Contract, Document
from mesh.contract.policing import Case, judge, step
from mesh.contract.policy import Policies
from mesh.contract.remark import Remark, Severity
from mesh.errors import ContractInvalid
from tests.support.contracts import Draft

ROOT = Path(__file__).parents[3]
TODAY = date(2026, 6, 30)


def file_of(*policies: dict[str, Any], **more: Any) -> str:
    return yaml.safe_dump({"policies": list(policies), **more}, sort_keys=False)


def policy(require: str, **more: Any) -> dict[str, Any]:
    return {"id": "p", "reason": "it matters", "severity": "error", "require": require, **more}


def judged(*policies: dict[str, Any], draft: Draft | None = None, previous: Document | None = None) -> list[Remark]:
    contract = Contract.parse((draft or Draft()).text, "o.odcs.yaml")
    return judge(Policies.parse(file_of(*policies), "policy.yaml"), Case(contract, TODAY, previous))


def refused(text: str) -> list[str]:
    with pytest.raises(ContractInvalid) as raised:
        Policies.parse(text, "policy.yaml")
    return list(raised.value.problems)


def test_a_finding_points_at_the_line_and_says_why() -> None:
    (found,) = judged(policy("contract.team.name == 'weather desk'", at="team.name", message="the desk owns weather"))
    lines = Draft().text.splitlines()
    assert lines[found.line - 1].strip() == "name: weather team"
    assert str(found) == f"o.odcs.yaml:{found.line}: team.name: the desk owns weather [p: it matters]"
    assert (found.rule, found.severity) == ("p", Severity.ERROR)


def test_what_is_kept_is_silent() -> None:
    assert judged(policy("contract.team.name == 'weather team' && product.partitions == 3")) == []


def test_every_part_is_judged_and_named() -> None:
    nested = {
        "name": "gauge",
        "logicalType": "array",
        "items": {"logicalType": "object", "properties": [{"name": "Depth", "logicalType": "integer"}]},
    }
    upper = policy("it.name.matches('^[a-z]+$')", foreach="fields", when="has(it.name)", at="name")
    (found,) = judged(upper, draft=Draft(extra=[nested]))
    assert found.path == "gauge[].Depth"
    assert Draft(extra=[nested]).text.splitlines()[found.line - 1].strip().endswith("name: Depth")


def test_parts_along_a_path_and_all_rules() -> None:
    assert [found.path for found in judged(policy("it.access == 'write'", foreach="roles[]"))] == ["roles[0]"]
    assert [found.path for found in judged(policy("it.id == 'other'", foreach="rules"))] == ["speed"]
    assert judged(policy("it.property == 'x'", foreach="slaProperties[]")) == []


def test_a_place_by_the_name_of_an_entry() -> None:
    (found,) = judged(policy("product.partitions > 3", at="schema[0].customProperties[topic]"))
    assert "property: topic" in Draft().text.splitlines()[found.line - 1]


def test_what_has_no_outcome_is_not_kept() -> None:
    (found,) = judged(policy("contract.price.priceAmount > 0", message="a price is named"))
    assert found.message == "a price is named (there is no key: 'price')"
    assert judged(policy("!has(contract.price) || contract.price.priceAmount > 0")) == []


def test_when_and_scope_limit_a_policy() -> None:
    never = policy("false")
    assert judged(never | {"when": "contract.status == 'draft'"}) == []
    assert judged(never | {"scope": {"domains": ["fleet"]}}) == []
    assert judged(never | {"scope": {"statuses": ["draft"]}}) == []
    assert len(judged(never | {"scope": {"domains": ["fleet", "weather"], "statuses": ["active"]}})) == 1


@pytest.mark.parametrize(("until", "count"), [("2026-06-30", 0), ("2026-06-29", 1), ("2026-07-01", 0)])
def test_an_exemption_ends_with_its_day(until: str, count: int) -> None:
    exemption = {"product": "weather.observations", "until": until, "reason": "the old feed goes in July"}
    found = judged(policy("false", exemptions=[exemption]))
    assert len(found) == count
    assert all(f"exempt until {until}" in remark.message for remark in found)


def test_an_exemption_is_for_its_product_and_part_only() -> None:
    other = {"product": "weather.other", "until": "2030-01-01", "reason": "r"}
    part = {"product": "weather.observations", "path": "speed", "until": "2030-01-01", "reason": "r"}
    assert len(judged(policy("false", exemptions=[other]))) == 1
    found = judged(policy("false", foreach="fields", exemptions=[part]))
    assert [remark.path for remark in found] == ["station"]


def test_the_version_step() -> None:
    forward = policy("step in ['patch', 'minor', 'major']", when="previous != null && changed", at="version")
    text = Draft(version="1.2.0").text
    assert judged(forward) == []
    assert judged(forward, previous=Document.parse(text)) == []
    assert len(judged(forward, previous=Document.parse(text.replace("To be tested", "Other")))) == 1
    assert judged(forward, previous=Document.parse(Draft(version="1.1.7").text.replace("To be", "Was"))) == []
    assert len(judged(forward, previous=Document.parse(Draft(version="1.3.0").text.replace("To be", "Was")))) == 1


@pytest.mark.parametrize(("version", "count"), [("1.2.0", 2), ("1.2.1", 1), ("1.3.0", 0), ("1.1.0", 2)])
def test_our_own_policies_ask_for_the_step_that_the_diff_requires(version: str, count: int) -> None:
    policies = Policies.read(ROOT / "contracts" / "policy.yaml")
    previous = Document.parse(Draft().text)
    alert = {"name": "alert", "logicalType": "string", "physicalType": "string"}
    contract = Contract.parse(Draft(version=version, extra=[alert]).text)
    found = [each.rule for each in judge(policies, Case(contract, TODAY, previous)) if "version" in each.rule]
    assert sorted(found) == ["version-step-is-enough", "version-steps-forward"][:count]


@pytest.mark.parametrize(
    ("before", "now", "word"),
    [
        ("1.2.3", "1.2.3", "none"),
        ("1.2.3", "1.2.4", "patch"),
        ("1.2.9", "1.10.0", "minor"),
        ("1.9.9", "2.0.0", "major"),
        ("2.0.0", "1.9.9", "backwards"),
        ("draft", "1.0.0", "none"),
    ],
)
def test_steps_of_versions(before: str, now: str, word: str) -> None:
    assert step(before, now) == word


def test_a_policy_that_gives_no_truth_is_a_finding_about_the_policy() -> None:
    (found,) = judged(policy("contract.id"))
    assert str(found).startswith("policy.yaml:5: policies[0].require: it gives string, not true or false")


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (
            {"require": "contract.teem.name != ''"},
            ":5: policies[0].require: column 10: contract never has a key teem; di",
        ),
        (
            {"require": "contrat.team == 1"},
            ":5: policies[0].require: column 1: contrat is not known here; did you mean c",
        ),
        ({"require": "frobnicate(contract)"}, ":5: policies[0].require: column 1: CEL has no function frobnicate"),
        ({"require": "contract.id =="}, "the condition is not valid CEL"),
        ({"require": "contract.id.matches('(?=a)')"}, "RE2 does not take the pattern"),
        ({"require": True}, ":5: policies[0].require: require is text"),
        ({"severity": "fatal"}, ":4: policies[0].severity: 'fatal' is not a severity"),
        ({"sevrity": "error"}, ":6: policies[0].sevrity: 'sevrity' is not a key of policies; did you mean severity?"),
        ({"foreach": "schema[0]"}, ":6: policies[0].foreach: 'schema[0]' names no parts"),
        ({"foreach": "fields", "require": "it.clasification == 'public'"}, "did you mean classification?"),
        ({"id": "a b"}, "'a b' is not an id"),
        ({"scope": {"teams": []}}, "'teams' is not a key of policies"),
        ({"scope": {"domains": "weather"}}, "domains is a list of names"),
        ({"exemptions": [{"product": "a.b", "reason": "r"}]}, "an exemption says until"),
        ({"exemptions": [{"product": "a.b", "reason": "r", "until": "soon"}]}, "'soon' is not a day"),
    ],
)
def test_a_bad_policy_is_told_with_its_line(broken: dict[str, Any], told: str) -> None:
    problems = refused(file_of(policy("true") | broken))
    assert any(told in problem for problem in problems), problems
    assert all(problem.startswith("policy.yaml:") for problem in problems)


def test_a_bad_file_is_told() -> None:
    assert "policies is a list" in refused("policies: {}\n")[0]
    assert "'polices' is not a key of policies; did you mean policies?" in refused("polices: []\n")[0]
    assert "a policy file is a mapping" in refused("- a\n")[0]
    assert "not YAML" in refused("a: [")[0]
    assert any("already there in line 2" in told for told in refused(file_of(policy("true"), policy("true"))))
    assert "reason is missing" in "\n".join(refused("policies: [{id: a, severity: error, require: 'true'}]"))


def test_numbers_nulls_and_texts_compare_as_cel_says() -> None:
    kept = "null != 1 && 1 == 1.0 && 'a' + 'b' == 'ab' && [1, 'a'] != ['a', 1] && !(true == 1) && null in [1, null]"
    assert judged(policy(f"{kept} && {{'a': [1]}} == {{'a': [1.0]}} && product.retentionDays == null")) == []


def test_our_own_policies_hold_for_our_own_contracts() -> None:
    policies = Policies.read(ROOT / "contracts" / "policy.yaml")
    contracts = [Contract.read(file) for file in sorted((ROOT / "contracts").glob("*/*.odcs.yaml"))]
    assert policies.source == "mesh-backbone"
    assert len(contracts) == 8
    assert [str(remark) for each in contracts for remark in judge(policies, Case(each, TODAY))] == []


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("classification: public", "classification: open", "fields-classified"),
        ("  name: weather-desk\n", "", "owner-named"),
        ("{property: retention, value: 400, unit: d}", "{property: retention, value: 4, unit: y}", "retention-bounded"),
        ("  - {property: retention, value: 400, unit: d}\n", "", "retention-stated"),
        ("partitions: 2", "partitions: 20", "partitions-chosen"),
        ("BACKWARD_TRANSITIVE", "NONE", "compatibility-kept"),
        ("id: weather-observations", "id: observations", "id-says-product"),
        ("name: visib\n", "name: visibMiles\n", "snake-case-fields"),
        ("        description: Visibility in miles, reported up to ten\n", "", "fields-described"),
        ("description: the dew point is never above the temperature", "description: ''", "rules-have-ids"),
        ("{property: maxGrantDays, value: 365}", "{property: maxGrantDays, value: 1000}", "roles-say-purpose"),
        ("classification: public", "tags: [pii]\n        classification: public", "personal-data-restricted"),
    ],
)
def test_each_of_our_policies_sees_its_fault(old: str, new: str, rule: str) -> None:
    text = (ROOT / "contracts" / "weather" / "observations.odcs.yaml").read_text("utf-8")
    assert old in text
    changed = Contract.parse(text.replace(old, new, 1), "o.yaml")
    policies = Policies.read(ROOT / "contracts" / "policy.yaml")
    assert rule in {remark.rule for remark in judge(policies, Case(changed, TODAY))}
