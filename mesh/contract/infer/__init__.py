"""First documents, out of schemas and sampled values. Pure: whoever has the records hands them over."""

from mesh.contract.infer.draft import Origin, Topic, draft_of_records, draft_of_schema
from mesh.contract.infer.schema import RecordSchema, read_schema

__all__ = ["Origin", "RecordSchema", "Topic", "draft_of_records", "draft_of_schema", "read_schema"]
