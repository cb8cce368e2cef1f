"""Users and access control lists of a cluster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import Future, wait
from dataclasses import dataclass
from typing import Any, Literal

from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialDeletion,
    UserScramCredentialUpsertion,
)

from mesh.errors import BrokerUnreachable, NotAuthorised
from mesh.kafka.connection import REQUEST_SECONDS, Connection
from mesh.kafka.translation import Diagnosis

# RFC 5802's floor; a higher count slows every login of every short command for secrets that are random anyway.
_SCRAM_ITERATIONS = 4096

_TICK_SECONDS = 0.02

Operation = Literal["All", "Read", "Write", "Create", "Delete", "Alter", "Describe", "DescribeConfigs", "AlterConfigs"]
Resource = Literal["Topic", "Group", "TransactionalId", "Cluster"]
Pattern = Literal["LITERAL", "PREFIXED"]

_OPERATIONS: Mapping[Operation, AclOperation] = {
    "All": AclOperation.ALL,
    "Read": AclOperation.READ,
    "Write": AclOperation.WRITE,
    "Create": AclOperation.CREATE,
    "Delete": AclOperation.DELETE,
    "Alter": AclOperation.ALTER,
    "Describe": AclOperation.DESCRIBE,
    "DescribeConfigs": AclOperation.DESCRIBE_CONFIGS,
    "AlterConfigs": AclOperation.ALTER_CONFIGS,
}
_RESOURCES: Mapping[Resource, ResourceType] = {
    "Topic": ResourceType.TOPIC,
    "Group": ResourceType.GROUP,
    "TransactionalId": ResourceType.TRANSACTIONAL_ID,
    "Cluster": ResourceType.BROKER,
}


@dataclass(frozen=True, slots=True, order=True)
class Acl:
    """One line of the broker's access control list. ``principal`` is the bare name, ``*`` for everybody logged in."""

    principal: str
    operation: Operation
    resource: Resource
    name: str
    pattern: Pattern = "LITERAL"
    host: str = "*"
    permission: Literal["Allow", "Deny"] = "Allow"

    def __str__(self) -> str:
        where = f"{self.name}*" if self.pattern == "PREFIXED" else self.name
        return f"{self.permission} {self.principal} {self.operation} {self.resource} {where}"


class SecurityAdmin:
    """The part of the administrative client that deals with who may do what."""

    connection: Connection
    diagnosis: Diagnosis
    client: AdminClient

    def users(self) -> set[str]:
        """Every principal with SCRAM credentials."""
        with self.diagnosis.translated("list users"):
            return set(self._result(self.client.describe_user_scram_credentials(request_timeout=REQUEST_SECONDS)))

    def create_user(self, name: str, password: str) -> None:
        """Create a principal, or give it a new password."""
        info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, _SCRAM_ITERATIONS)
        change = UserScramCredentialUpsertion(name, info, password.encode())
        with self.diagnosis.translated(f"create user {name}"):
            self._all(self.client.alter_user_scram_credentials([change], request_timeout=REQUEST_SECONDS))

    def delete_user(self, name: str) -> None:
        """Take a principal's credentials away; it is cut off at its next re-authentication."""
        change = UserScramCredentialDeletion(name, ScramMechanism.SCRAM_SHA_512)
        with self.diagnosis.translated(f"delete user {name}"):
            self._all(self.client.alter_user_scram_credentials([change], request_timeout=REQUEST_SECONDS))

    def acls(self, principal: str | None = None) -> set[Acl]:
        """Every line the broker has of the resource kinds the mesh manages, or those of one principal."""
        with self.diagnosis.translated("list ACLs"):
            bindings = self._result(self.client.describe_acls(_everything(principal), request_timeout=REQUEST_SECONDS))
        return {acl for acl in map(_read, bindings) if acl is not None}

    def create_acls(self, acls: Iterable[Acl]) -> None:
        """Add lines; those that exist already stay."""
        bindings = [_binding(acl) for acl in acls]
        if bindings:
            with self.diagnosis.translated("create ACLs"):
                self._all(self.client.create_acls(bindings, request_timeout=REQUEST_SECONDS))

    def delete_acls(self, acls: Iterable[Acl]) -> None:
        """Remove exactly these lines."""
        filters = [_filter(acl) for acl in acls]
        if filters:
            with self.diagnosis.translated("delete ACLs"):
                self._all(self.client.delete_acls(filters, request_timeout=REQUEST_SECONDS))

    def _result(self, future: Future[Any]) -> Any:
        # The client reports a refused login only while it is polled, so poll now and then until the answer is there.
        while not future.done():
            wait([future], _TICK_SECONDS)
            self.client.poll(0)
        return future.result()

    def _all(self, futures: Mapping[Any, Future[Any]]) -> None:
        for future in futures.values():
            self._result(future)


def verify_credentials(connection: Connection, seconds: float = 5.0) -> bool:
    """Whether the broker takes this login; raises BrokerUnreachable when no broker answers in ``seconds``."""
    diagnosis = Diagnosis(connection)
    client = AdminClient(connection.config() | diagnosis.config())
    try:
        with diagnosis.translated("log in"):
            future = client.describe_cluster(request_timeout=seconds)
            while not future.done() and diagnosis.refused is None:
                client.poll(0.02)
            if diagnosis.refused is not None:
                return False
            future.result()
    except NotAuthorised:
        return False
    except BrokerUnreachable:
        if diagnosis.refused is not None:
            return False
        raise
    return True


def _binding(acl: Acl) -> AclBinding:
    return AclBinding(
        _RESOURCES[acl.resource],
        acl.name,
        ResourcePatternType[acl.pattern],
        f"User:{acl.principal}",
        acl.host,
        _OPERATIONS[acl.operation],
        AclPermissionType[acl.permission.upper()],
    )


def _filter(acl: Acl) -> AclBindingFilter:
    exact = _binding(acl)
    return AclBindingFilter(
        exact.restype,
        exact.name,
        exact.resource_pattern_type,
        exact.principal,
        exact.host,
        exact.operation,
        exact.permission_type,
    )


def _everything(principal: str | None) -> AclBindingFilter:
    who = None if principal is None else f"User:{principal}"
    return AclBindingFilter(
        ResourceType.ANY, None, ResourcePatternType.ANY, who, None, AclOperation.ANY, AclPermissionType.ANY
    )


def _read(binding: AclBinding) -> Acl | None:
    resources = {kind: name for name, kind in _RESOURCES.items()}
    operations = {kind: name for name, kind in _OPERATIONS.items()}
    kind, operation = ResourceType(binding.restype), AclOperation(binding.operation)
    if kind not in resources or operation not in operations:
        return None
    return Acl(
        principal=binding.principal.removeprefix("User:"),
        operation=operations[operation],
        resource=resources[kind],
        name=binding.name,
        pattern="PREFIXED" if binding.resource_pattern_type == ResourcePatternType.PREFIXED else "LITERAL",
        host=binding.host,
        permission="Deny" if binding.permission_type == AclPermissionType.DENY else "Allow",
    )
