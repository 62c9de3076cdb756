"""`python -m paribus`."""

from paribus.cli.main import entry

entry()
