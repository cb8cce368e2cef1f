"""The questions about lineage as JSON over HTTP: answered as the caller, told to the audit log."""
