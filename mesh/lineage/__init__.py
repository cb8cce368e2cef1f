"""What happened to every record: manifests, their chain, search and trace."""

from mesh.lineage.absence import Gap, Unaccounted
from mesh.lineage.ancestry import Reach, ancestry
from mesh.lineage.atlas import Atlas, Holding, Listing, OpenSite, Site
from mesh.lineage.chain import PartitionChain, PartitionTransaction
from mesh.lineage.descent import PARENTS_HEADER, Deposit, Descent, Identity, output_slot, window_slot
from mesh.lineage.descent_header import MALFORMED, MISSING, descent_in
from mesh.lineage.descents_column import (
    ColumnHead,
    DescentsColumn,
    decode_descents,
    decode_head,
    descent_of,
    encode_descents,
    head_of,
)
from mesh.lineage.digest import NO_RECORDS, RecordDigest, layouts_of
from mesh.lineage.encoding import decode_manifest, encode_manifest, manifest_schema_json
from mesh.lineage.evidence import Fate, Link, ManifestFacts, Move, Parking, Presence, RecordFacts, Schema, Trace
from mesh.lineage.log import LineageLog, Reader
from mesh.lineage.making import descents_of, parents_of
from mesh.lineage.manifest import (
    Basis,
    Disposition,
    HighWater,
    Manifest,
    Outcome,
    Place,
    SchemaSeen,
    Span,
    TopicIds,
    digest_of,
)
from mesh.lineage.offsets import OffsetSet
from mesh.lineage.origins import decode_origins, encode_origins, origins_omitted
from mesh.lineage.parents import Lot, ParentSet
from mesh.lineage.progress import (
    Failure,
    Progress,
    decode_parents_record,
    encode_deposit,
    encode_progress,
    failures_of,
)
from mesh.lineage.progress_log import ProgressLog
from mesh.lineage.reference import Reference
from mesh.lineage.search import PartitionIndex
from mesh.lineage.settlement import Result, Settlement
from mesh.lineage.station import Branch, Grade, Graph, Making, Passage, Standing, Station
from mesh.lineage.stop import Stop, StopCause
from mesh.lineage.trace import trace
from mesh.lineage.verdict_header import (
    VERDICT_HEADER,
    VerdictHeader,
    decode_verdict_header,
    encode_verdict_header,
    last_verdict,
)

__all__ = [
    "MALFORMED",
    "MISSING",
    "NO_RECORDS",
    "PARENTS_HEADER",
    "VERDICT_HEADER",
    "Atlas",
    "Basis",
    "Branch",
    "ColumnHead",
    "Deposit",
    "Descent",
    "DescentsColumn",
    "Disposition",
    "Failure",
    "Fate",
    "Gap",
    "Grade",
    "Graph",
    "HighWater",
    "Holding",
    "Identity",
    "LineageLog",
    "Link",
    "Listing",
    "Lot",
    "Making",
    "Manifest",
    "ManifestFacts",
    "Move",
    "OffsetSet",
    "OpenSite",
    "Outcome",
    "ParentSet",
    "Parking",
    "PartitionChain",
    "PartitionIndex",
    "PartitionTransaction",
    "Passage",
    "Place",
    "Presence",
    "Progress",
    "ProgressLog",
    "Reach",
    "Reader",
    "RecordDigest",
    "RecordFacts",
    "Reference",
    "Result",
    "Schema",
    "SchemaSeen",
    "Settlement",
    "Site",
    "Span",
    "Standing",
    "Station",
    "Stop",
    "StopCause",
    "TopicIds",
    "Trace",
    "Unaccounted",
    "VerdictHeader",
    "ancestry",
    "decode_descents",
    "decode_head",
    "decode_manifest",
    "decode_origins",
    "decode_parents_record",
    "decode_verdict_header",
    "descent_in",
    "descent_of",
    "descents_of",
    "digest_of",
    "encode_deposit",
    "encode_descents",
    "encode_manifest",
    "encode_origins",
    "encode_progress",
    "encode_verdict_header",
    "failures_of",
    "head_of",
    "last_verdict",
    "layouts_of",
    "manifest_schema_json",
    "origins_omitted",
    "output_slot",
    "parents_of",
    "trace",
    "window_slot",
]
