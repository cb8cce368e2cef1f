"""A request the registry does not grant, with the error code its clients know."""

from __future__ import annotations

from collections.abc import Sequence

from mesh.errors import PermanentError


class Refusal(PermanentError):
    """Becomes the HTTP answer ``{error_code, message}``; it never leaves the server as an exception.

    The HTTP status is the first three digits of ``code``. ``reasons`` are told one by one beside the message.
    """

    def __init__(self, code: int, message: str, reasons: Sequence[str] = ()) -> None:
        self.code, self.message, self.reasons = code, message, tuple(reasons)
        super().__init__(message)

    @property
    def status(self) -> int:
        """The HTTP status."""
        return int(str(self.code)[:3])


def no_subject(subject: str) -> Refusal:
    """Nothing was ever registered under this name."""
    return Refusal(40401, f"Subject '{subject}' not found.")


def no_version(version: int | str) -> Refusal:
    """The subject exists and has no such version."""
    return Refusal(40402, f"Version {version} not found.")


def no_schema(what: str = "Schema") -> Refusal:
    """Neither this id nor this text is known."""
    return Refusal(40403, f"{what} not found")


def not_permitted(reason: str) -> Refusal:
    """The operation exists and may not be done here."""
    return Refusal(42205, reason)
