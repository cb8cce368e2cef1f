"""Records given as pydantic models, such as ``mesh contract export pydantic`` writes them."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel


def as_plain(record: Any) -> Any:
    """The fields of a model by the names the contract gives them; everything else as it is.

    Fields that were not set are there with their defaults. Nothing is converted: what the schema cannot hold is refused
    by the encoder, with its path.
    """
    if type(record) is dict or not isinstance(record, BaseModel):
        return record
    return record.model_dump(by_alias=True, warnings=False)
