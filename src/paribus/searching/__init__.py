"""Searches: studies that plan their next runs from recorded ones."""
