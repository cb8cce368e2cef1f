"""What ``mesh trace``, ``why``, ``impact`` and ``reconcile`` print of lineages in memory."""

from __future__ import annotations

from dataclasses import replace

from mesh.cli.ancestry import dot, tree
from mesh.cli.impact import effect_rows, outlook_rows, verdict
from mesh.cli.reconcile import gate_rows, hop_rows
from mesh.cli.why import lines
from mesh.lineage import Atlas, Basis, Graph, Reference, ancestry
from mesh.lineage.balance import Balance, Fault, GateBalance, HopBalance, Mismatch
from mesh.lineage.effect import Effect, Impact, Outlook
from mesh.lineage.why import Answer, Ending, Use
from mesh.types import Coordinate
from tests.support.ledgers import START, Ledger


def graph() -> Graph:
    ledger = Ledger()
    ledger.product("weather.observations")
    ledger.product("operations.flights")
    ledger.product("punctuality.delays", processor="punctuality.delays")
    flights = ledger.source("operations.flights", *(b"%d" % n for n in range(10)))
    weather = ledger.source("weather.observations", b"7")[0]
    made = ledger.one("punctuality.delays", of=[*flights, weather])
    ledger.logs.denied.add("weather.observations.v1.lineage")
    return ancestry(made, Atlas.of_one(ledger.logs, ledger.logs))


def test_a_tree_tells_every_hop_and_what_it_rests_on() -> None:
    told = list(tree(graph()))
    assert told[0] == "punctuality.delays.v1/0/0"
    assert told[1].startswith("  passed  contract urn:punctuality.delays 1.0.0, rules abababababab, _mesh.gate.test.0")
    assert told[1].endswith("[observed]")
    assert told[2] == (
        "  made    by punctuality.delays [declared], build unknown, output 0 of operations.flights.v1/0/0, "
        "parents 11 [attested]"
    )
    assert "    operations.flights.v1/0/7  origin operations.flights.csv#7 [attested]" in told
    assert "    operations.flights.v1/0: 2 more of 10 (--all)" in told
    (closed,) = (line for line in told if "forbidden" in line)
    assert closed.startswith("    weather.observations.v1/0/0  forbidden: auditor may not read")


def test_a_graph_for_graphviz_has_every_record_and_edge() -> None:
    told = "\n".join(dot(graph()))
    assert told.startswith("digraph lineage {")
    assert told.count(" -> ") == 9
    assert "style=dashed" in told
    assert r"operations.flights.v1/0/0\noperations.flights.csv#0" in told


def test_an_answer_has_a_line_for_each_processor() -> None:
    effect = made(3)
    uses = Use("punctuality.delays", Ending.USED, "so", outputs=(effect,) * 5), Use("a.b", Ending.LATE, "closed")
    told = list(lines(Answer(Coordinate("t.ingress", 0, 1), Ending.PASSED, "it passed", None, uses)))
    assert told == [
        "t.ingress/0/1  passed: it passed",
        "  punctuality.delays  used: so -> d.v1/0/3, d.v1/0/3, d.v1/0/3 and 2 more (mesh impact)",
        "  a.b  late: closed",
    ]


def made(offset: int) -> Effect:
    reference = Reference(UUIDS, 0, offset)
    at, basis = Coordinate("d.v1", 0, offset), Basis("urn:d", "1.0.0", "ab" * 32, "b")
    return Effect(reference, at, "x.d", "x.d", (), None, basis, START, None)


UUIDS = Ledger().product("x.d").ids.public


def test_an_impact_says_whether_it_is_all() -> None:
    open_, shut = (Outlook("a.b", "d.v1", 0, 1, 0, mark, final, "so") for mark, final in ((None, False), (START, True)))
    found = Impact(made(0), (made(1), made(2)), {}, (shut,))
    assert [row[0] for row in effect_rows(found, 1)] == ["d.v1/0/1"]
    assert verdict(found).startswith("final")
    assert verdict(replace(found, outlooks=(shut, open_))).startswith("live: more")
    assert verdict(replace(found, closed={"far": "no answer"})).startswith("live, as far as is known")
    assert [row[4:] for row in outlook_rows(replace(found, outlooks=(shut, open_)))] == [
        ("2023-11-14T22:13:20.000+00:00", "final: so"),
        ("none", "live: so"),
    ]


def test_a_balance_says_which_partitions_do_not_add_up() -> None:
    good = GateBalance("a.b", 0, read=3, passed=2, refused=1)
    bad = GateBalance("a.b", 1, read=3, passed=3, mismatches=[Mismatch(Fault.MISSING, "a.b.v1", 1, 4, 7, "gone")])
    hop = HopBalance("a.b", "c.d.v1", 0, input=4, used=3)
    balance = Balance("a.b", [good, bad], [hop])
    assert [row[-1] for row in gate_rows(balance)] == ["yes", "NO"]
    assert [row[-1] for row in hop_rows(balance)] == ["NO"]
    assert not balance.adds_up
    assert [str(each) for each in balance.mismatches] == ["a.b.v1/1/4-6: missing: gone"]
    assert Balance("a.b", [good]).adds_up
