"""The outcome of a comparison of scores, in words."""

from __future__ import annotations

from paribus.analysis.scores import ScoreContrast
from paribus.analysis.wording import more_replicates, plural


def contrast_sentence(found: ScoreContrast, metric: str, by: float) -> str:
    """One arm against the control: the verdict, how it was reached, and what to know beside it."""
    judgement, margin = found.judgement, f"by more than {by:g}" if by else "at all"
    if found.paired:
        way = f"{plural(found.n, 'pair')} of replicates"
    else:
        way = f"{found.n} against {found.control_n} unpaired values"
    subject = f"{metric} of {found.arm} against {found.control}: {judgement.verdict}"
    match judgement.verdict:
        case "SUPPORTED":
            text = f"it is better {margin}"
        case "EQUIVALENT":
            text = f"the difference is below {by:g}"
        case "REFUTED" if judgement.detail == "worse":
            text = "it is worse"
        case "REFUTED":
            text = f"it is not better {margin}"
        case "INCONCLUSIVE":
            text = judgement.detail or f"these replicates do not tell whether it is better {margin}"
    notes: list[str] = []
    if judgement.needed is not None:
        notes.append(more_replicates(judgement.needed - found.n))
    if found.holm is not None and found.holm > 1 and judgement.p is not None and judgement.p <= 1:
        notes.append("adjusted for all arms (Holm), it is not decided")
    if found.left_out:
        notes.append(f"{plural(found.left_out, 'value')} without a partner left out")
    if judgement.skewed:
        notes.append("the values are skewed, and a t interval is not exact")
    return f"{subject}, {text} ({way}){''.join(f'; {note}' for note in notes)}."
