import pytest

from paribus.analysis.denoising import denoised, measured_conditions

CURVES = {"train_loss": [0.3, 0.2, 0.1]}


def _measured(condition: str, noisy: float, network: float, pca: float) -> dict[tuple[str, str], float]:
    names = {"noise_mse": noisy, "denoise_mse": network, "pca_denoise_mse": pca}
    return {("last", f"{name}:{condition}"): value for name, value in names.items()}


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
    assert severe.made == "uniform noise in [-0.9, 0.9] added to every pixel, clipped to [0, 1]"
    assert zeroed.made == "50 % of the pixels, drawn at random, set to zero"
