"""Cohorts of runs trained together, each bit-identical to itself alone."""
