"""Searches by other tools over the spaces of the built-in searches, beside ours."""
