import pytest

from paribus.analysis.capacity import layer_counts, sizes


@pytest.mark.parametrize(
    ("widths", "parameters", "weights"),
    [
        ((4096, 16, 4096), 135_184, 131_072),
        ((4096, 64, 4096), 528_448, 524_288),
        ((784, 32, 10), 25_450, 25_408),
        ((784, 32, 64, 32, 10), 29_642, 29_504),
        ((784, 128, 64, 128, 10), 118_346, 118_016),
        ((784, 256, 128, 64, 128, 10), 251_722, 251_136),
    ],
)
def test_the_reference_s_networks_have_the_published_sizes(widths, parameters, weights) -> None:
    counts = layer_counts(widths)
    assert sum(layer.weights for layer in counts) == weights
    assert sum(layer.weights + layer.biases for layer in counts) == parameters
    assert [layer.name for layer in counts][:2] == ["fc1", "fc2"]


def test_what_was_counted_on_the_trained_network_stands_beside(classifiers, steady) -> None:
    maker = classifiers()
    maker.run("fixed", 1, curves=steady(0), measured={("", "parameters"): 25450.0})
    maker.run("dropped", 0, curves=steady(0), state="running")
    fixed, dropped = sizes(maker.results())
    assert (fixed.parameters, fixed.weights, fixed.recorded) == (25_450, 25_408, 25_450)
    assert (dropped.widths, dropped.recorded) == ((784, 32, 10), None)


def test_an_arm_without_a_recorded_run_has_no_size_yet(classifiers, steady) -> None:
    maker = classifiers()
    maker.run("dropped", 0, curves=steady(0))
    assert [size.arm for size in sizes(maker.results())] == ["dropped"]
