"""Who a request comes from: HTTP Basic with Kafka principals, verified against the broker."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from mesh.registry.refusal import Refusal
from mesh.registry.rules import Caller

PLATFORM = "_mesh.admin"
Verify: TypeAlias = Callable[[str, str], bool]
"""Principal and password; asks the broker. Raises BrokerUnreachable."""

_ACCEPTED_SECONDS = 60.0
# Long enough to blunt guessing and short enough that a user created a moment ago can log in.
_REFUSED_SECONDS = 2.0
_REMEMBERED = 1000
_LONGEST = 256
# A handshake costs the broker thousands of hashes; without a bound anybody could keep it busy through us.
_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class _Answer:
    good: bool
    until: float


class Credentials:
    """Verifies logins and remembers the answers for a while, under a keyed digest and never under the password."""

    def __init__(
        self, verify: Verify, platform: str = PLATFORM, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._verify, self._platform, self._monotonic = verify, platform, monotonic
        self._salt = secrets.token_bytes(32)
        self._answers: dict[bytes, _Answer] = {}
        self._lock = threading.Lock()
        self._turnstile = threading.BoundedSemaphore(_AT_ONCE)

    def caller(self, authorization: str | None, *, required: bool) -> Caller:
        """The caller an Authorization header proves; raises Refusal 40101.

        Without a header it is nobody, where that is enough. Credentials that are given must be right either way.
        """
        if authorization is None:
            if required:
                raise Refusal(40101, "Unauthorized: send a Kafka principal and its password with HTTP Basic")
            return Caller()
        principal, password = _basic(authorization)
        if not self._good(principal, password):
            raise Refusal(40101, "Unauthorized: the broker does not know this principal and password")
        return Caller(principal, hmac.compare_digest(principal.encode(), self._platform.encode()))

    def _good(self, principal: str, password: str) -> bool:
        digest = self._digest(principal, password)
        known = self._remembered(digest)
        if known is not None:
            return known
        with self._turnstile:
            known = self._remembered(digest)
            return self._asked(digest, principal, password) if known is None else known

    def _asked(self, digest: bytes, principal: str, password: str) -> bool:
        good = self._verify(principal, password)
        until = self._monotonic() + (_ACCEPTED_SECONDS if good else _REFUSED_SECONDS)
        with self._lock:
            while len(self._answers) >= _REMEMBERED:
                del self._answers[next(iter(self._answers))]
            self._answers[digest] = _Answer(good, until)
        return good

    def _remembered(self, digest: bytes) -> bool | None:
        with self._lock:
            answer = self._answers.get(digest)
            if answer is None:
                return None
            if answer.until <= self._monotonic():
                del self._answers[digest]
                return None
            return answer.good

    def _digest(self, principal: str, password: str) -> bytes:
        # The lookup compares digests under a secret key, so how long it takes says nothing of the password.
        named = principal.encode()
        content = len(named).to_bytes(4, "big") + named + password.encode()
        return hashlib.blake2b(content, key=self._salt, digest_size=32).digest()


def password_of(authorization: str) -> str:
    """The password of a header that ``Credentials`` has let pass; raises Refusal for another one."""
    return _basic(authorization)[1]


def _basic(authorization: str) -> tuple[str, str]:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        raise Refusal(40101, f"Unauthorized: {scheme[:20]!r} is not supported, use HTTP Basic")
    try:
        principal, colon, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise Refusal(40101, "Unauthorized: the HTTP Basic credentials cannot be read") from None
    if not colon or not principal or len(principal) > _LONGEST or len(password) > _LONGEST:
        raise Refusal(40101, "Unauthorized: the HTTP Basic credentials cannot be read")
    return principal, password
