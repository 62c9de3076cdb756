"""Figures, tables and words that answer a study's question, as files that open from disk."""
