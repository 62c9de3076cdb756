"""paribus explain: say what a word means here, as the glossary has it.

Without a word, all of them are listed. Metrics, findings and verdicts are explained, too.
"""

from __future__ import annotations

import argparse

from paribus.cli.output import print_columns, print_json, print_paragraph
from paribus.errors import Exit, UserError, nearest


def add_arguments(to: argparse.ArgumentParser) -> None:
    """`paribus explain [TERM] [--json]`."""
    to.add_argument("term", metavar="TERM", nargs="*", help="a word: replicate, verdict, min-val-loss, dead-units, ...")
    to.add_argument("--json", action="store_true", help="print JSON for programs")


def execute(arguments: argparse.Namespace) -> Exit:
    """Print the meaning of a word, or all words."""
    from paribus.analysis.glossary import explained, terms

    if not arguments.term:
        known = terms()
        if arguments.json:
            print_json([vars(entry) for entry in known.values()])
        else:
            print_columns(
                [("term", "meaning"), *((entry.term, entry.meaning) for entry in known.values())], flexible=(1,)
            )
        return Exit.DONE
    word = " ".join(arguments.term)
    found = explained(word)
    if found is None:
        raise UserError("must be a word of the glossary", given=word, place="TERM", remedy=nearest(word, terms()))
    if arguments.json:
        print_json(vars(found))
    else:
        print_paragraph(f"{found.term}: {found.meaning}")
    return Exit.DONE
