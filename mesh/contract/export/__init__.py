"""A contract in the forms of other standards and tools. Pure: the same document always gives the same text."""

from mesh.contract.export.asyncapi import asyncapi
from mesh.contract.export.models import pydantic_module
from mesh.contract.export.odps import odps
from mesh.contract.export.page import html_page
from mesh.contract.export.writing import json_text, yaml_text

__all__ = ["asyncapi", "html_page", "json_text", "odps", "pydantic_module", "yaml_text"]
