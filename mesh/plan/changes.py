"""The steps from what is to what should be, as values; ``rank`` is the safe order to take them in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, TypedDict

from mesh.catalog import Entry
from mesh.kafka import Acl
from mesh.plan.desired import Place, WantedSubject, WantedTopic
from mesh.types import Principal, Topic


class Told(TypedDict):
    """A change as JSON."""

    owner: str
    kind: str
    resource: str
    before: str | None
    after: str | None
    destructive: bool
    loses: str | None
    impossible: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One step. ``loses`` names what it would destroy, ``impossible`` why it cannot be taken at all."""

    kind: ClassVar[str]
    owner: str
    loses: str | None = None
    impossible: str | None = None

    @property
    def rank(self) -> tuple[int, int]:
        """Where the step comes in the safe order; smaller first."""
        raise NotImplementedError

    @property
    def resource(self) -> str:
        """What is changed: its kind and its name."""
        raise NotImplementedError

    @property
    def before(self) -> str | None:
        return None

    @property
    def after(self) -> str | None:
        return None

    @property
    def destructive(self) -> bool:
        return self.loses is not None

    def told(self) -> Told:
        """The change as JSON."""
        return Told(
            owner=self.owner,
            kind=self.kind,
            resource=self.resource,
            before=self.before,
            after=self.after,
            destructive=self.destructive,
            loses=self.loses,
            impossible=self.impossible,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateTopic(Change):
    """A topic that is not there yet."""

    kind = "create"
    topic: WantedTopic

    @property
    def rank(self) -> tuple[int, int]:
        return (0 if self.topic.place is Place.PLATFORM else 2, self.topic.place)

    @property
    def resource(self) -> str:
        return f"topic {self.topic.name}"

    @property
    def after(self) -> str:
        return f"partitions={self.topic.partitions} {_settings(self.topic.config)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateUser(Change):
    """A principal without credentials."""

    kind = "create"
    principal: Principal

    @property
    def rank(self) -> tuple[int, int]:
        return (1, 0)

    @property
    def resource(self) -> str:
        return f"user {self.principal}"


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowTopic(Change):
    """Another number of partitions; fewer is always impossible."""

    kind = "grow"
    topic: WantedTopic
    partitions: int

    @property
    def rank(self) -> tuple[int, int]:
        return (2, self.topic.place)

    @property
    def resource(self) -> str:
        return f"topic {self.topic.name}"

    @property
    def before(self) -> str:
        return f"partitions={self.partitions}"

    @property
    def after(self) -> str:
        return f"partitions={self.topic.partitions}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlterTopic(Change):
    """Topic configurations to set; None in ``new`` returns one to the cluster's default."""

    kind = "alter"
    topic: Topic
    place: Place
    old: Mapping[str, str | None]
    new: Mapping[str, str | None]

    @property
    def rank(self) -> tuple[int, int]:
        return (3, self.place)

    @property
    def resource(self) -> str:
        return f"topic {self.topic}"

    @property
    def before(self) -> str:
        return _settings(self.old)

    @property
    def after(self) -> str:
        return _settings(self.new)


@dataclass(frozen=True, slots=True, kw_only=True)
class SetCompatibility(Change):
    """Another compatibility mode of a subject."""

    kind = "alter"
    subject: WantedSubject
    old: str | None

    @property
    def rank(self) -> tuple[int, int]:
        return (4, 0)

    @property
    def resource(self) -> str:
        return f"subject {self.subject.subject}"

    @property
    def before(self) -> str | None:
        return None if self.old is None else f"compatibility={self.old}"

    @property
    def after(self) -> str:
        return f"compatibility={self.subject.compatibility}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterSchema(Change):
    """A schema its subject does not have yet."""

    kind = "register"
    subject: WantedSubject

    @property
    def rank(self) -> tuple[int, int]:
        return (5, 0)

    @property
    def resource(self) -> str:
        return f"subject {self.subject.subject}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant(Change):
    """Permissions to add on one resource."""

    kind = "grant"
    acls: tuple[Acl, ...]

    @property
    def rank(self) -> tuple[int, int]:
        return (6, 0)

    @property
    def resource(self) -> str:
        return _guarded(self.acls[0])

    @property
    def after(self) -> str:
        return _who(self.acls)


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoke(Change):
    """Permissions on one resource that no contract gives; taking them away destroys nothing."""

    kind = "revoke"
    acls: tuple[Acl, ...]

    @property
    def rank(self) -> tuple[int, int]:
        return (7, 0)

    @property
    def resource(self) -> str:
        return _guarded(self.acls[0])

    @property
    def before(self) -> str:
        return _who(self.acls)


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteEntry(Change):
    """The catalog's record of a contract: last, because gates start and stop by it."""

    kind = "record"
    entry: Entry
    old: Entry | None

    @property
    def rank(self) -> tuple[int, int]:
        return (8, 0)

    @property
    def resource(self) -> str:
        return f"catalog {self.entry.topic}"

    @property
    def before(self) -> str | None:
        return None if self.old is None else _edition(self.old)

    @property
    def after(self) -> str:
        return _edition(self.entry)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteTopic(Change):
    """A topic of a retired product; ``position`` is its place among the topics taken down, what is read from first."""

    kind = "delete"
    topic: Topic
    position: int

    @property
    def rank(self) -> tuple[int, int]:
        return (9, self.position)

    @property
    def resource(self) -> str:
        return f"topic {self.topic}"


def _settings(config: Mapping[str, str | None]) -> str:
    return " ".join(f"{key}={'(default)' if value is None else value}" for key, value in sorted(config.items()))


def _guarded(acl: Acl) -> str:
    return f"access to {acl.resource.lower()} {acl.name}{'*' if acl.pattern == 'PREFIXED' else ''}"


def _who(acls: tuple[Acl, ...]) -> str:
    operations: dict[str, list[str]] = {}
    for acl in acls:
        operations.setdefault(acl.principal, []).append(acl.operation)
    return "; ".join(f"{principal}: {', '.join(each)}" for principal, each in operations.items())


def _edition(entry: Entry) -> str:
    return f"version={entry.version} status={entry.status} digest={entry.digest[:12]} source={entry.source}"
