import pytest

from paribus.analysis.denoising import condition_words, curves, denoised, deployed, helps, measured_conditions
from paribus.analysis.denoising_answers import tally

CURVES = {"train_loss": [0.3, 0.2, 0.1]}


def _measured(condition, noisy, network, pca, quality="mse", prefix=""):
    names = {"noise": noisy, "denoise": network, "pca_denoise": pca}
    return {("last", f"{prefix}{name}_{quality}:{condition}"): value for name, value in names.items()}


def test_errors_of_noisy_input_network_and_pca_by_condition(autoencoders) -> None:
    maker = autoencoders()
    for replicate in range(2):
        shift = 0.001 * replicate
        measured = _measured("uniform-0.4", 0.05, 0.06, 0.01) | _measured("uniform-0.9", 0.2 + shift, 0.03, 0.02)
        maker.run("plain", replicate, curves=CURVES, measured=measured | _measured("zeroed-0.5", 0.1, 0.05, 0.04))
    results = maker.results()
    assert measured_conditions(results, "plain") == ("uniform-0.4", "uniform-0.9", "zeroed-0.5")
    mild, severe, zeroed = denoised(results)
    assert (severe.kind, severe.severity, severe.noisy.mean) == ("uniform", 0.9, pytest.approx(0.2005))
    assert severe.gain.interval.low > 0
    assert mild.gain.mean == pytest.approx(-0.01)
    assert severe.against_pca.mean == pytest.approx(-0.01)
    assert (zeroed.kind, zeroed.severity) == ("zeroed", 0.5)


def test_more_psnr_and_ssim_is_better_and_more_error_is_worse(autoencoders) -> None:
    maker = autoencoders()
    for replicate in range(2):
        measured = {}
        for quality, noisy, network in (("mse", 0.02, 0.01), ("psnr", 17.0, 20.0), ("ssim", 0.5, 0.9)):
            value = network * (1 + 0.01 * replicate)
            measured |= _measured("block-0.25", noisy, value, value, quality)
            measured |= _measured("block-0.25", noisy, 2 * noisy - value, value, quality, "val_")
        maker.run("plain", replicate, curves=CURVES, measured=measured)
    results = maker.results()
    for quality in ("mse", "psnr", "ssim"):
        (trained,), (unseen,) = (denoised(results, quality, split) for split in ("train", "validation"))
        assert trained.gain.mean > 0 > unseen.gain.mean
        assert trained.network.n == 2


SEVERITIES = (0.1, 0.2, 0.4, 0.8)


def _helping(autoencoders, gains):
    """Results of uniform noise whose gain at each severity is as given in every replicate; 0 is undecided."""
    maker = autoencoders(replicates=3)
    for replicate in range(3):
        measured = {}
        for severity, gain in zip(SEVERITIES, gains, strict=True):
            wobble = 0.001 * (replicate - 1)
            measured |= _measured(f"uniform-{severity:g}", 0.1, 0.1 - gain + wobble, 0.1)
        maker.run("plain", replicate, curves=CURVES, measured=measured)
    return maker.results()


@pytest.mark.parametrize(
    ("gains", "at"),
    [
        ((-0.05, 0, 0.05, 0.05), ("≥0.4", "≤0.1")),
        ((0.05, 0.05, 0.05, 0.05), ("all", "")),
        ((-0.05, -0.05, -0.05, -0.05), ("", "all")),
        ((0, 0, 0, 0), ("", "")),
        ((-0.05, 0.05, 0.05, -0.05), ("0.2, 0.4", "0.1, 0.8")),
        ((0.05, 0.05, 0, -0.05), ("≤0.2", "≥0.8")),
    ],
)
def test_where_a_network_helps_and_where_it_stops(autoencoders, gains, at) -> None:
    (found,) = helps(_helping(autoencoders, gains))
    assert (found.arm, found.kind, found.severities) == ("plain", "uniform", SEVERITIES)
    assert (found.helps_at, found.harms_at) == at


def test_the_tally_counts_intervals_and_says_so(autoencoders) -> None:
    results = _helping(autoencoders, (-0.05, 0, 0.05, 0.05))
    assert tally(deployed(results)) == (
        "In 2 of 4 cases of corruption the 95 % interval shows a lower error than the noisy image's, in 1 a higher "
        "one; compared with PCA of the same rank, 2 lower, 1 higher, 1 undecided."
    )
    assert tally([]) == ""


def test_curves_are_by_kind_arm_and_severity(autoencoders) -> None:
    maker = autoencoders(replicates=1)
    conditions = ("uniform-0.9", "uniform-0.4", "zeroed-0.5")
    for arm in ("plain", "centred"):
        measured = {key: value for name in conditions for key, value in _measured(name, 0.1, 0.2, 0.3).items()}
        maker.run(arm, 0, curves=CURVES, measured=measured)
    found = dict(curves(deployed(maker.results())))
    assert [(case.arm, case.severity) for case in found["uniform"]] == [
        ("plain", 0.4), ("plain", 0.9), ("centred", 0.4), ("centred", 0.9)
    ]  # fmt: skip
    assert len(found["zeroed"]) == 2


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("uniform-0.4", "uniform noise ±0.4"),
        ("gaussian-0.25", "normal noise, sd 0.25"),
        ("zeroed-0.5", "50 % of pixels zeroed"),
        ("block-0.0625", "block of 6.25 % missing"),
        ("other-1", "other-1"),
    ],
)
def test_conditions_in_words(condition, words) -> None:
    assert condition_words(condition) == words
