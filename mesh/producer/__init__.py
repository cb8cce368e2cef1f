"""Putting records on the mesh: typed from files, encoded by the contract, judged before they are sent."""

from mesh.producer.files import READERS, BadRow, Row, count_lines, csv_rows, ndjson_rows, open_text
from mesh.producer.keys import key_body
from mesh.producer.publisher import Publisher

__all__ = ["READERS", "BadRow", "Publisher", "Row", "count_lines", "csv_rows", "key_body", "ndjson_rows", "open_text"]
