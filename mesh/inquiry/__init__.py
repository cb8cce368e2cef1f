"""An auditor's questions over all clusters: trace, why, impact, reconcile."""

from mesh.inquiry.inquiry import Inquiry

__all__ = ["Inquiry"]
