"""Generated programs as modules."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from uuid import uuid4

from pydantic import BaseModel

from mesh.contract import Contract
from mesh.contract.export import pydantic_module


def module_of(text: str, folder: Path) -> ModuleType:
    """The module that a text is, imported from a file of its own as its users would."""
    name = f"generated_{uuid4().hex}"
    path = folder / f"{name}.py"
    path.write_text(text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def models(contract: Contract, folder: Path) -> ModuleType:
    """The module that a contract is exported as."""
    return module_of(pydantic_module(contract), folder)


def model_of(contract: Contract, folder: Path) -> type[BaseModel]:
    """The class of its values: the one whose fields are those of the contract."""
    names = {field.name for field in contract.fields}
    found = [each for each in vars(models(contract, folder)).values() if isinstance(each, type) and _is_of(each, names)]
    (model,) = found
    return model


def _is_of(each: type, names: set[str]) -> bool:
    return issubclass(each, BaseModel) and {field.alias or name for name, field in each.model_fields.items()} == names
