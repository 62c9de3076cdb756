"""paribus schema: print the JSON Schema of study files, for editors that complete and check them.

Save it beside a study file, `paribus schema > paribus.schema.json`, and begin the file with the line
`#:schema paribus.schema.json`. Editors with Taplo (Even Better TOML in VS Code) then offer keys and their values, and
mark what paribus would refuse.
"""

from __future__ import annotations

import argparse

from paribus.cli.output import print_json
from paribus.errors import Exit


def add_arguments(to: argparse.ArgumentParser) -> None:
    """`paribus schema`."""
    del to


def execute(arguments: argparse.Namespace) -> Exit:
    """Print the schema."""
    del arguments
    from paribus.spec.json_schema import study_schema

    print_json(study_schema())
    return Exit.DONE
