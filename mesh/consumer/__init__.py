"""Taking records off the mesh: by product name, for a stated purpose, committed when processed."""

from mesh.consumer.record import Record
from mesh.consumer.subscription import Reading, Subscription

__all__ = ["Reading", "Record", "Subscription"]
