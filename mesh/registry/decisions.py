"""What a write would do: from the state and a request to the records to append and the answer to give. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from mesh.contract.compatibility import Mode
from mesh.registry.records import (
    PRODUCT,
    LevelSet,
    LogRecord,
    Mark,
    ModeSet,
    SchemaVersion,
    SubjectDeleted,
    VersionGone,
)
from mesh.registry.refusal import Refusal, no_subject, no_version, not_permitted
from mesh.registry.rules import (
    MODES,
    Caller,
    Submission,
    check_claim,
    check_numbers,
    check_owner,
    check_safe,
    check_subject,
    check_writable,
    incompatibilities,
    read_schema,
)
from mesh.registry.state import State
from mesh.registry.text import SchemaText

T = TypeVar("T")
_LATEST = ("latest", "-1")


@dataclass(frozen=True, slots=True)
class Decision(Generic[T]):
    """Records to append, in this order, each safe on its own should the next never come; and the answer then."""

    records: tuple[LogRecord, ...]
    answer: T


def register(state: State, subject: str, submission: Submission, caller: Caller) -> Decision[SchemaVersion]:
    """A schema becomes the next version of a subject. One that is live already is answered and nothing is written.

    That holds for subjects of applied contracts too, so that serializers which register on first use find the id.
    """
    check_subject(subject)
    text = read_schema(submission)
    check_claim(state, subject, submission, caller)
    existing = state.find(subject, text)
    seized = submission.product is not None and state.product(subject) is None
    if existing is not None and not seized:
        return Decision((), existing)
    check_owner(state, subject, caller)
    check_writable(state, subject)
    check_safe(text)
    # What others put under a name before its contract was applied is no part of the product: it stays readable by id.
    earlier = [] if seized else state.versions(subject)
    if reasons := incompatibilities(state.level(subject), text, earlier):
        raise _incompatible(subject, reasons)
    version = _next_version(state, subject, submission, text)
    return Decision((*_removal(state, subject if seized else None), version), version)


def _incompatible(subject: str, reasons: Sequence[str]) -> Refusal:
    message = "Schema being registered is incompatible with an earlier schema for subject"
    return Refusal(40901, f'{message} "{subject}", details: [{"; ".join(reasons)}]', reasons)


def _next_version(state: State, subject: str, submission: Submission, text: SchemaText) -> SchemaVersion:
    following = max((each.version for each in state.versions(subject, deleted=True)), default=0) + 1
    check_numbers(submission, following)
    metadata = dict(submission.metadata or {})
    if owner := state.product(subject):
        metadata["properties"] = {**(metadata.get("properties") or {}), PRODUCT: owner}
    schema_id = state.id_of(text) or state.highest_id + 1
    return SchemaVersion(subject, following, schema_id, text.text, extra={"metadata": metadata} if metadata else {})


def _removal(state: State, subject: str | None) -> tuple[LogRecord, ...]:
    versions = state.versions(subject) if subject else []
    return (SubjectDeleted(versions[-1].subject, versions[-1].version),) if versions else ()


def delete_subject(state: State, subject: str, caller: Caller, *, permanent: bool) -> Decision[list[int]]:
    """All versions of a subject are deleted: softly first, for good in a second request."""
    everything, live = state.versions(subject, deleted=True), state.versions(subject)
    if not everything:
        raise no_subject(subject)
    if permanent and live:
        raise Refusal(40405, f"Subject '{subject}' was not deleted first before being permanently deleted")
    if not permanent and not live:
        raise Refusal(40404, f"Subject '{subject}' was soft deleted. Set permanent=true to delete permanently")
    _check_change(state, subject, caller)
    if permanent:
        gone = [VersionGone(subject, each.version) for each in everything]
        return Decision((Mark(state.highest_id), *gone), [each.version for each in everything])
    settings = (*_without_level(state, subject), *_without_mode(state, subject))
    return Decision((*settings, SubjectDeleted(subject, live[-1].version)), [each.version for each in live])


def delete_version(state: State, subject: str, version: str, caller: Caller, *, permanent: bool) -> Decision[int]:
    """One version is deleted: softly first, for good in a second request."""
    found = version_of(state, subject, version, deleted=permanent or version not in _LATEST)
    if permanent and not found.deleted:
        raise Refusal(
            40407, f"Subject '{subject}' Version {found.version} was not deleted first before being permanent"
        )
    if not permanent and found.deleted:
        told = f"Subject '{subject}' Version {found.version} was soft deleted. Set permanent=true to delete permanently"
        raise Refusal(40406, told)
    _check_change(state, subject, caller)
    if permanent:
        return Decision((Mark(state.highest_id), VersionGone(subject, found.version)), found.version)
    gone = SchemaVersion(subject, found.version, found.id, found.schema, True, found.kind, found.extra)
    return Decision((gone,), found.version)


def version_of(state: State, subject: str, version: str, *, deleted: bool = False) -> SchemaVersion:
    """The version a request means by a number, ``latest`` or ``-1``; raises Refusal 42202, 40401 or 40402."""
    latest = version in _LATEST
    if not latest and not (version.isascii() and version.isdigit() and 0 < int(version[:12]) < 2**31):
        told = f"The specified version '{version[:40]}' is not a valid version id."
        raise Refusal(42202, f'{told} Allowed values are between [1, 2^31-1] and the string "latest"')
    found = state.versions(subject, deleted=deleted)
    if not found and not state.versions(subject):
        raise no_subject(subject)
    chosen = found[-1:] if latest else [each for each in found if each.version == int(version)]
    if not chosen:
        raise no_version(version)
    return chosen[0]


def set_level(state: State, subject: str | None, level: object, caller: Caller) -> Decision[str]:
    """A compatibility level is set, of one subject or of the registry."""
    name = str(level).upper()
    if name not in Mode.__members__:
        known = ", ".join(Mode.__members__)
        raise Refusal(42203, f"Invalid compatibility level {str(level)[:40]!r}. Valid values are {known}")
    _check_setting(state, subject, caller)
    check_writable(state, subject)
    return Decision((LevelSet(subject, name),), name)


def clear_level(state: State, subject: str | None, caller: Caller) -> Decision[str]:
    """A compatibility level is taken back; answers the one that was set."""
    if subject is not None and subject not in state.levels:
        raise Refusal(40408, f"Subject '{subject}' does not have subject-level compatibility configured")
    _check_setting(state, subject, caller)
    check_writable(state, subject)
    return Decision((LevelSet(subject, None),), state.level(subject))


def set_mode(state: State, subject: str | None, mode: object, caller: Caller) -> Decision[str]:
    """A mode is set, of one subject or of the registry."""
    name = str(mode).upper()
    if name not in MODES:
        raise Refusal(42204, f"Invalid mode {str(mode)[:40]!r}. Valid values are {', '.join(sorted(MODES))}")
    _check_setting(state, subject, caller)
    return Decision((ModeSet(subject, name),), name)


def clear_mode(state: State, subject: str | None, caller: Caller) -> Decision[str]:
    """A mode is taken back; answers the one that was set."""
    if subject is not None and subject not in state.modes:
        raise Refusal(40409, f"Subject '{subject}' does not have subject-level mode configured")
    _check_setting(state, subject, caller)
    return Decision((ModeSet(subject, None),), state.mode(subject))


def _check_change(state: State, subject: str, caller: Caller) -> None:
    check_owner(state, subject, caller)
    check_writable(state, subject)


def _check_setting(state: State, subject: str | None, caller: Caller) -> None:
    if subject is not None:
        check_subject(subject)
        check_owner(state, subject, caller)
    elif not caller.platform:
        raise not_permitted("The settings of the whole registry are the platform's; set them for a subject")


def _without_level(state: State, subject: str) -> tuple[LogRecord, ...]:
    return (LevelSet(subject, None),) if subject in state.levels else ()


def _without_mode(state: State, subject: str) -> tuple[LogRecord, ...]:
    return (ModeSet(subject, None),) if subject in state.modes else ()
