"""What the registry knows: a pure fold of the records of its log, in their order."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from mesh.registry.records import (
    LevelSet,
    LogRecord,
    Mark,
    ModeSet,
    SchemaVersion,
    SubjectCleared,
    SubjectDeleted,
    Unreadable,
    VersionGone,
)
from mesh.registry.text import SchemaText

DEFAULT_LEVEL = "BACKWARD"
DEFAULT_MODE = "READWRITE"
_log = logging.getLogger(__name__)


class State:
    """Subjects, versions, ids, levels and modes. Not safe for threads; its owner holds a lock."""

    def __init__(self) -> None:
        self.highest_id = 0
        self.levels: dict[str | None, str] = {}
        self.modes: dict[str | None, str] = {}
        self._subjects: dict[str, dict[int, SchemaVersion]] = {}
        self._texts: dict[int, SchemaText] = {}
        self._ids: dict[str, int] = {}
        self._guids: dict[str, int] = {}
        self._uses: defaultdict[int, set[tuple[str, int]]] = defaultdict(set)

    def apply(self, record: LogRecord) -> None:
        """Take one record of the log in."""
        match record:
            case SchemaVersion():
                self._put(record)
            case VersionGone():
                self._remove(record.subject, record.version)
            case SubjectDeleted():
                self._delete(record.subject, record.version)
            case SubjectCleared():
                for version in list(self._subjects.get(record.subject, ())):
                    self._remove(record.subject, version)
            case LevelSet():
                _set(self.levels, record.subject, record.level)
            case ModeSet():
                _set(self.modes, record.subject, record.mode)
            case Mark():
                self.highest_id = max(self.highest_id, record.highest_id)
            case Unreadable():
                _log.warning("a record of the schema log was passed over: %s", record.reason)

    def _put(self, record: SchemaVersion) -> None:
        text = SchemaText.stored(record.schema, record.kind)
        known = self._texts.get(record.id)
        if known is not None and known.identity != text.identity:
            # An id that has been handed out is in data; giving it another meaning would make that data unreadable.
            _log.error("schema id %d occurs with two schemas; %s keeps the first", record.id, record.subject)
            return
        self._remove(record.subject, record.version, keep=record.id)
        self._texts.setdefault(record.id, text)
        self._ids.setdefault(text.identity, record.id)
        self._guids.setdefault(text.guid, record.id)
        self._uses[record.id].add((record.subject, record.version))
        self._subjects.setdefault(record.subject, {})[record.version] = record
        self.highest_id = max(self.highest_id, record.id)

    def _remove(self, subject: str, version: int, keep: int | None = None) -> None:
        versions = self._subjects.get(subject, {})
        record = versions.pop(version, None)
        if record is None:
            return
        if not versions:
            del self._subjects[subject]
        uses = self._uses[record.id]
        uses.discard((subject, version))
        if not uses and record.id != keep:
            self._forget(record.id)

    def _forget(self, schema_id: int) -> None:
        text = self._texts.pop(schema_id)
        del self._uses[schema_id]
        if self._ids.get(text.identity) == schema_id:
            del self._ids[text.identity]
            del self._guids[text.guid]

    def _delete(self, subject: str, version: int) -> None:
        versions = self._subjects.get(subject, {})
        for number, record in versions.items():
            if number <= version:
                versions[number] = replace(record, deleted=True)

    def subjects(self, *, deleted: bool = False, only_deleted: bool = False) -> list[str]:
        """Names of subjects with a live version; with ``deleted`` also the others, or only the others."""
        alive = {name for name, versions in self._subjects.items() if any(not v.deleted for v in versions.values())}
        chosen = self._subjects.keys() - alive if only_deleted else self._subjects if deleted else alive
        return sorted(chosen)

    def versions(self, subject: str, *, deleted: bool = False) -> list[SchemaVersion]:
        """The versions of a subject, oldest first; empty for a subject that does not exist."""
        found = sorted(self._subjects.get(subject, {}).values(), key=lambda each: each.version)
        return [each for each in found if deleted or not each.deleted]

    def text(self, schema_id: int) -> SchemaText | None:
        """The schema with this id. Softly deleted versions keep theirs: data may carry it."""
        return self._texts.get(schema_id)

    def id_of(self, text: SchemaText) -> int | None:
        """The id this schema has, under whatever subject."""
        return self._ids.get(text.identity)

    def id_of_guid(self, guid: str) -> int | None:
        """The id of a schema known by its text's own id."""
        return self._guids.get(guid)

    def uses(self, schema_id: int, *, deleted: bool = False) -> list[SchemaVersion]:
        """The versions that have this id."""
        found = (self._subjects[subject][version] for subject, version in sorted(self._uses.get(schema_id, ())))
        return [each for each in found if deleted or not each.deleted]

    def find(self, subject: str, text: SchemaText, *, deleted: bool = False) -> SchemaVersion | None:
        """The newest version of a subject that is this schema."""
        wanted = self.id_of(text)
        return next((each for each in reversed(self.versions(subject, deleted=deleted)) if each.id == wanted), None)

    def level(self, subject: str | None) -> str:
        """The compatibility level in force."""
        return self.levels.get(subject) or self.levels.get(None, DEFAULT_LEVEL)

    def mode(self, subject: str | None) -> str:
        """The mode in force."""
        return self.modes.get(subject) or self.modes.get(None, DEFAULT_MODE)

    def product(self, subject: str) -> str | None:
        """The product a subject belongs to, until its last version is deleted for good; None when it is nobody's."""
        return next((each.product for each in self.versions(subject, deleted=True) if each.product), None)

    @classmethod
    def of(cls, records: Iterable[LogRecord]) -> State:
        """The state after these records."""
        state = cls()
        for record in records:
            state.apply(record)
        return state


def _set(settings: dict[str | None, str], scope: str | None, value: str | None) -> None:
    if value is None:
        settings.pop(scope, None)
    else:
        settings[scope] = value
