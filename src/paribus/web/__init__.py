"""The report, live: read-only pages of a workspace for browsers on this machine, and for nobody else."""
