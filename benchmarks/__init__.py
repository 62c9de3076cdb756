"""Measurements of paribus against its peers and against faults: run from a clone, never installed."""
