"""Functions over Arrow columns: public records to record batches, and what a function makes of them to outputs."""

from __future__ import annotations

from mesh.errors import SettingsError

try:
    import pyarrow  # noqa: F401 - said here by the name of the extra, instead of by a module nobody has asked for
except ImportError as error:
    raise SettingsError(
        f"a function over columns needs the packages of the extra arrow ({error.name or error}): "
        "pip install 'mesh-backbone[arrow]'; or take batches of records, which need none: processor.batch(...)"
    ) from None
