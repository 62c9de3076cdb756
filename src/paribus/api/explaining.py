"""What a word means here, from Python."""

from __future__ import annotations

from paribus.analysis.glossary import explained, terms
from paribus.errors import UserError, nearest


def explain(term: str) -> str:
    """What a word of the glossary, a metric, a finding or a verdict means. Raises UserError for an unknown one.

    Examples
    --------
    >>> import paribus
    >>> paribus.explain("SUPPORTED")
    'The whole 95 % interval of the difference lies beyond the margin that the claim declares.'
    """
    found = explained(term)
    if found is None:
        raise UserError("must be a word of the glossary", given=term, place="term", remedy=nearest(term, terms()))
    return found.meaning
