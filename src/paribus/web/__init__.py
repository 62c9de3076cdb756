"""The live report: read-only pages of a workspace for browsers on this machine."""
