"""Every error the mesh raises, in one tree; each class says whether a retry can help and a command's exit code.

::

    MeshError
    ├── RetriableError              a later attempt may succeed
    │   ├── BrokerUnreachable       exit 6
    │   ├── RegistryUnreachable     exit 6
    │   ├── DeadlineExceeded        exit 1
    │   ├── BrokerError             exit 1  (the broker's own retriable codes)
    │   └── IndefiniteOutcome       exit 1  (a commit, abort or send-offsets whose outcome nobody knows)
    └── PermanentError              a retry of the same call fails the same way
        ├── UsageError              exit 2
        ├── SettingsError           exit 2
        ├── ContractInvalid         exit 3  (a document; carries findings with file and line)
        ├── ContractViolation       exit 3  (a record; carries findings with clause and path)
        ├── EncodingRefused         exit 3  (a record that is not of its schema; carries the path)
        ├── SchemaRefused           exit 3
        ├── IncompatibleChange      exit 4
        ├── NotAuthorised           exit 5
        ├── NotFound                exit 1
        ├── RequestRefused          exit 1  (the broker said no, for good)
        ├── Fenced                  exit 1  (another owner of the same identity has taken over)
        ├── DeliveryFailed          exit 1
        ├── RecordsLost             exit 1  (retention took what nobody had read)
        ├── LineageBroken           exit 1
        ├── ParentsUnknown          exit 1  (an output whose parents the processor cannot know)
        ├── ProcessorStopped        exit 1  (a program's own error in the middle of a record)
        ├── MalformedBody           exit 1  (bytes that are not the one encoding of a value)
        ├── AlreadyRunning          exit 1
        └── PlatformFailure         exit 1  (the embedded mesh could not start or stay up)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Protocol


class Broken(Protocol):
    """What an error needs of a finding (``mesh.types.Finding``)."""

    @property
    def clause(self) -> str: ...

    @property
    def path(self) -> str: ...

    @property
    def reason(self) -> str: ...


class MeshError(Exception):
    """Root of the tree. ``str(error)`` is one sentence that says what, where and what to do; facts are attributes."""

    retriable: ClassVar[bool] = False
    exit_code: ClassVar[int] = 1


class RetriableError(MeshError):
    """A later attempt of the same call may succeed."""

    retriable = True


class PermanentError(MeshError):
    """A retry of the same call fails the same way."""


class BrokerUnreachable(RetriableError):
    """No broker of the cluster answered within the deadline."""

    exit_code = 6

    def __init__(self, bootstrap: str, reason: str = "no answer") -> None:
        self.bootstrap, self.reason = bootstrap, reason
        super().__init__(f"cannot reach Kafka at {bootstrap}: {reason}; is the mesh up? (mesh status)")


class RegistryUnreachable(RetriableError):
    """The schema registry did not answer."""

    exit_code = 6

    def __init__(self, url: str, reason: str = "no answer") -> None:
        self.url, self.reason = url, reason
        super().__init__(f"cannot reach the schema registry at {url}: {reason}; is the mesh up? (mesh status)")


class DeadlineExceeded(RetriableError):
    """A condition did not come true in time."""

    def __init__(self, operation: str, seconds: float) -> None:
        self.operation, self.seconds = operation, seconds
        super().__init__(f"{operation} did not finish within {seconds:g} s")


class BrokerError(RetriableError):
    """A retriable answer of the broker; ``code`` is Kafka's name for it."""

    def __init__(self, operation: str, code: str, reason: str) -> None:
        self.operation, self.code, self.reason = operation, code, reason
        super().__init__(f"{operation}: {reason} ({code})")


class IndefiniteOutcome(RetriableError):
    """A commit, abort or send-offsets timed out: it may or may not have happened, so the producer must be replaced."""

    def __init__(self, operation: str, code: str, reason: str) -> None:
        self.operation, self.code, self.reason = operation, code, reason
        super().__init__(f"{operation} has no known outcome: {reason} ({code})")


class UsageError(PermanentError):
    """The call makes no sense as it stands."""

    exit_code = 2


class SettingsError(PermanentError):
    """The configuration is missing or wrong."""

    exit_code = 2


class ContractInvalid(PermanentError):
    """A contract document that breaks the standard or its own rules; ``problems`` read ``file:line: path: text``."""

    exit_code = 3

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class ContractViolation(PermanentError):
    """A record that breaks its contract; ``findings`` says every clause, path and reason."""

    exit_code = 3

    def __init__(self, product: str, findings: Sequence[Broken]) -> None:
        self.product, self.findings = product, tuple(findings)
        told = "; ".join(f"{f.clause} at {f.path or 'the record'}: {f.reason}" for f in self.findings)
        super().__init__(f"the record breaks the contract of {product}: {told}")


class EncodingRefused(PermanentError):
    """A record that is not of its schema; ``path`` is dotted, empty for the record itself. Never holds the value."""

    exit_code = 3

    def __init__(self, path: str, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(f"{path or 'the record'} {reason}")


class SchemaRefused(PermanentError):
    """The registry does not take this schema; ``code`` is its error code (42201, 42205, ...)."""

    exit_code = 3

    def __init__(self, subject: str, code: int, reason: str) -> None:
        self.subject, self.code, self.reason = subject, code, reason
        super().__init__(f"{subject}: {reason} ({code})")


class IncompatibleChange(PermanentError):
    """A change that the compatibility mode, or Kafka itself, does not allow."""

    exit_code = 4

    def __init__(self, what: str, reasons: Sequence[str]) -> None:
        self.what, self.reasons = what, tuple(reasons)
        super().__init__(f"{what} cannot change like this: {'; '.join(self.reasons)}")


class NotAuthorised(PermanentError):
    """The broker or the registry refused the principal; ``code`` is Kafka's name for the refusal."""

    exit_code = 5

    def __init__(self, principal: str, operation: str, code: str) -> None:
        self.principal, self.operation, self.code = principal, operation, code
        super().__init__(f"{principal} may not {operation} ({code}); ask the owner of the product for a grant")


class NotFound(PermanentError):
    """Something named does not exist."""

    def __init__(self, kind: str, name: str, hint: str = "") -> None:
        self.kind, self.name, self.hint = kind, name, hint
        super().__init__(f"there is no {kind} {name}" + (f"; {hint}" if hint else ""))


class RequestRefused(PermanentError):
    """The broker refused a request for good; ``code`` is Kafka's name for the refusal."""

    def __init__(self, operation: str, code: str, reason: str) -> None:
        self.operation, self.code, self.reason = operation, code, reason
        super().__init__(f"{operation}: {reason} ({code})")


class Fenced(PermanentError):
    """Another process has taken over this identity; this one must stop."""

    def __init__(self, identity: str) -> None:
        self.identity = identity
        super().__init__(f"another process owns {identity} now; give each gate of a pool its own ordinal")


class DeliveryFailed(PermanentError):
    """Records that the broker did not take."""

    def __init__(self, topic: str, count: int, code: str, reason: str) -> None:
        self.topic, self.count, self.code, self.reason = topic, count, code, reason
        super().__init__(f"{count} record(s) were not written to {topic}: {reason} ({code})")


class RecordsLost(PermanentError):
    """The next unread offset is gone: retention deleted records nobody had read."""

    def __init__(self, topic: str, partition: int, wanted: int) -> None:
        self.topic, self.partition, self.wanted = topic, partition, wanted
        super().__init__(
            f"{topic}/{partition} no longer holds offset {wanted}: records expired unread; the partition is stopped"
        )


class LineageBroken(PermanentError):
    """Lineage that cannot be followed, or does not hold together."""

    def __init__(self, where: str, reason: str) -> None:
        self.where, self.reason = where, reason
        super().__init__(f"lineage of {where} cannot be followed: {reason}")


class ParentsUnknown(PermanentError):
    """A processor sent something where nobody knows which records it was made from."""

    def __init__(self, product: str) -> None:
        self.product = product
        super().__init__(
            f"what is sent to {product} here has no known parents: no record is being processed in this task "
            "(take(), timers, tasks that outlive their record); send it inside `with derive(*records):`"
        )


class ProcessorStopped(PermanentError):
    """A processor's own code failed on a record; nothing from that record on was committed."""

    def __init__(self, product: str, where: str, cause: str) -> None:
        self.product, self.where, self.cause = product, where, cause
        super().__init__(
            f"the processor of {product} stopped at {where}: {cause}; nothing from there on is committed, so it comes "
            "again when the program is mended and started; on_error='park' sets such records aside instead"
        )


class MalformedBody(PermanentError):
    """Bytes that are not the one encoding of a value of the schema; ``reason`` never holds the bytes."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class AlreadyRunning(PermanentError):
    """Another process already runs on this folder."""

    def __init__(self, folder: str, pid: int) -> None:
        self.folder, self.pid = folder, pid
        super().__init__(f"a mesh already runs on {folder} (process {pid}); stop it with: mesh down --data {folder}")


class PlatformFailure(PermanentError):
    """The embedded mesh could not start or stay up; the text says what to do."""
