"""The Faust runtime: at least once, under identities that the gate passes once; needs the extra ``faust``."""

from __future__ import annotations

from mesh.errors import SettingsError

try:
    import faust  # noqa: F401 - said here by the name of the extra, instead of by a module nobody has asked for
except ImportError as error:
    raise SettingsError(
        f"the Faust runtime needs the packages of the extra faust ({error.name or error}): "
        "pip install 'mesh-backbone[faust]'; or take the runtime that needs none: runtime=\"loop\""
    ) from None
