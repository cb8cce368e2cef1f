"""Secrets of the principals that the mesh creates: made once, kept where the settings say, never shown."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from pydantic import SecretStr

from mesh.errors import SettingsError
from mesh.settings import Cluster, Settings
from mesh.types import Principal


def secret_for(settings: Settings, principal: Principal, cluster: Cluster | None = None) -> SecretStr:
    """The secret of a principal to be created on a cluster: the one it has, else a new random one kept in its file.

    Raises SettingsError when secrets come from the environment and this one is missing, or when one reference would
    give every principal the same secret.
    """
    reference = settings.secret_reference(cluster)
    if "{principal}" not in reference:
        raise SettingsError(
            f"cannot create {principal}: `secret: {reference}` is one secret for everybody;"
            " put {principal} into it, for example file:secrets/{principal}"
        )
    path = settings.secret_path(principal, cluster)
    if path is not None and not path.exists():
        _keep(path, secrets.token_urlsafe(24))
    return settings.password(principal, cluster)


def _keep(path: Path, secret: str) -> None:
    """Put the whole secret in place in one step: a crash leaves none, and whoever comes second keeps the first one."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(secret + "\n")
        try:
            path.hardlink_to(draft)
        except FileExistsError:
            return
        finally:
            draft.unlink()
    except OSError as error:
        raise SettingsError(f"cannot keep the secret in {path}: {error.strerror}") from None
