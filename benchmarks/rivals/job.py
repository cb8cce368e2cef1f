"""What a measured loop is to do, handed to its process in the environment."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

VARIABLE: Final = "BENCHMARK_JOB"
# The gate's own pace, so that only the work on the records differs.
COMMIT_RECORDS, COMMIT_SECONDS = 20_000, 0.25
REASON: Final = b"breaks the contract"


@dataclass(frozen=True, slots=True)
class Job:
    """``client`` is the client library's configuration of the way in; ``subject`` is where the schema is registered."""

    loop: str
    client: Mapping[str, Any]
    group: str
    ingress: str
    public: str
    quarantine: str
    registry: str
    schema: str
    subject: str

    def environment(self) -> dict[str, str]:
        """For the process that runs it: not on its command line, where everybody could read the password."""
        return {VARIABLE: json.dumps(asdict(self))}

    @classmethod
    def given(cls) -> Job:
        """The job of this process."""
        return cls(**json.loads(os.environ[VARIABLE]))

    @property
    def login(self) -> tuple[str, str]:
        """Principal and password."""
        return str(self.client["sasl.username"]), str(self.client["sasl.password"])
