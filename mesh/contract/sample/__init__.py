"""Records made from a contract: ones that keep it, and ones that break one clause of it."""

from mesh.contract.sample.sampler import Judged, Sample, Sampler, Unreached
from mesh.contract.sample.written import as_json

__all__ = ["Judged", "Sample", "Sampler", "Unreached", "as_json"]
