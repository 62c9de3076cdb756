"""What a study's claims do not say of its arms: what they cost, how near they come to PCA, what their weights show,
what they make of noise."""

from __future__ import annotations

from paribus.analysis.autoencoder_answers import nearest_ones
from paribus.analysis.capacity import sizes
from paribus.analysis.cost import ArmCost, arm_costs
from paribus.analysis.denoising import deployed
from paribus.analysis.denoising_answers import nearer_and_further
from paribus.analysis.eigenfaces import pca_comparisons
from paribus.analysis.results import Results
from paribus.analysis.weight_answers import weight_sentences
from paribus.analysis.wording import MAX_LISTED, listed
from paribus.units import joules


def beside_claims(results: Results) -> list[str]:
    """Sentences that complete an answer by claims: of autoencoders on PCA, weights and noise, of others on cost."""
    found = [*_nearest_to_pca(results), *_weights(results), *_noise(results)]
    return found or _cost(results)


def _nearest_to_pca(results: Results) -> list[str]:
    known = [
        found
        for found in pca_comparisons(results)
        if found.rule == results.deploy(found.arm) and found.ratio.mean is not None
    ]
    if not known:
        return []
    best, *unclear = nearest_ones(known)
    text = f"Lowest error relative to PCA of the same rank: {best.ratio.mean or 0.0:.2f} times, with {best.arm}"
    if unclear:
        names = listed(found.arm for found in unclear) if len(unclear) <= MAX_LISTED else f"{len(unclear)} other arms"
        text += f" (no clear difference from {names})"
    return [f"{text}."]


def _weights(results: Results) -> list[str]:
    found = weight_sentences(results)
    return [" ".join(found)] if found else []


def _noise(results: Results) -> list[str]:
    cases = [case for case in deployed(results) if case.gain.interval is not None]
    return [nearer_and_further(cases)] if cases else []


def _cost(results: Results) -> list[str]:
    """The energy of one run with the cheapest and the dearest arm, where their networks differ in size."""
    parameters = {size.arm: size.parameters for size in sizes(results)}
    costs = [(_per_run(cost), cost) for cost in arm_costs(results) if cost.energy_j is not None and cost.runs]
    if len(set(parameters.values())) < 2 or {cost.arm for _, cost in costs} != set(results.arms):
        return []
    (low, cheapest), (high, dearest) = min(costs, key=lambda c: c[0]), max(costs, key=lambda c: c[0])
    if cheapest.arm not in parameters or dearest.arm not in parameters or cheapest.arm == dearest.arm:
        return []
    ends = (
        f"{joules(energy)} with {cost.arm} ({parameters[cost.arm]:,} parameters)"
        for energy, cost in ((low, cheapest), (high, dearest))
    )
    return [f"One run takes from {' to '.join(ends)}, {dearest.tag}."]


def _per_run(cost: ArmCost) -> float:
    return (cost.energy_j or 0.0) / cost.runs
