from __future__ import annotations

from pathlib import Path

from mesh.embedded.properties import Layout, Node, argument_file, rendered, server_properties

ONE = Layout("cluster", (Node(1, 101, 102, 103, "dir1"),), "hush")
THREE = Layout("cluster", tuple(Node(n, n * 10 + 1, n * 10 + 2, n * 10 + 3, f"dir{n}") for n in (1, 2, 3)), "hush")


def test_no_listener_is_open_to_the_unnamed() -> None:
    properties = server_properties(ONE, ONE.nodes[0], Path("/data"))
    protocols = {each.partition(":")[2] for each in properties["listener.security.protocol.map"].split(",")}
    assert protocols == {"SASL_PLAINTEXT"}
    assert all("://127.0.0.1:" in each for each in properties["listeners"].split(","))
    assert properties["listener.name.client.sasl.enabled.mechanisms"] == "SCRAM-SHA-512"
    assert properties["allow.everyone.if.no.acl.found"] == "false"
    assert properties["super.users"] == "User:_mesh.admin;User:_internal"


def test_controllers_are_not_advertised() -> None:
    assert "CONTROLLER" not in server_properties(ONE, ONE.nodes[0], Path("/data"))["advertised.listeners"]


def test_three_nodes_hold_everything_three_times() -> None:
    properties = server_properties(THREE, THREE.nodes[1], Path("/data"))
    replicas = {value for key, value in properties.items() if key.endswith("replication.factor")}
    assert replicas == {"3"}
    assert {value for key, value in properties.items() if "min.i" in key} == {"2"}
    assert properties["node.id"] == "2"
    assert properties["controller.quorum.bootstrap.servers"] == "127.0.0.1:13,127.0.0.1:23,127.0.0.1:33"
    assert THREE.initial_controllers.split(",")[2] == "3@127.0.0.1:33:dir3"


def test_one_node_needs_no_other() -> None:
    properties = server_properties(ONE, ONE.nodes[0], Path("/data"))
    assert {value for key, value in properties.items() if key.endswith(("replication.factor", "min.isr"))} == {"1"}


def test_own_settings_win() -> None:
    assert server_properties(ONE, ONE.nodes[0], Path("/d"), {"num.io.threads": "8"})["num.io.threads"] == "8"


def test_the_password_is_not_shown() -> None:
    assert "hush" not in repr(ONE)


def test_files_for_java_are_escaped() -> None:
    assert rendered({"a": r"C:\x", "b": "1"}) == "a=C:\\\\x\nb=1\n"
    assert argument_file(["-cp", '/a b/c"d\\']) == '"-cp"\n"/a b/c\\"d\\\\"\n'
