import numpy as np

from paribus.analysis.weights import history, layer_weights
from paribus.store.records import Snapshot

CURVES = {"train_loss": [0.3, 0.2, 0.1]}


def test_the_first_layer_over_epochs_begins_with_the_initial_weights(autoencoders) -> None:
    maker = autoencoders(shape=(32, 128))
    layers = {epoch: np.full((4, 4096), epoch, np.float32) for epoch in (20, 0, 10)}
    snapshots = [Snapshot(epoch, "first-layer", maker.keep(fc1_weight=rows)) for epoch, rows in layers.items()]
    run = maker.run("plain", 0, curves=CURVES, snapshots=snapshots)
    found = history(maker.results(), run)
    assert found is not None
    assert found.epoch.tolist() == [0, 10, 20]
    assert found.weights[:, 0, 0].tolist() == [0, 10, 20]
    assert found.shape == (32, 128)


def test_whole_networks_serve_where_no_first_layers_were_kept(autoencoders) -> None:
    maker = autoencoders()
    name = maker.keep(fc1_weight=np.ones((4, 4096)), fc2_weight=np.ones((4096, 4)))
    run = maker.run("plain", 0, curves=CURVES, snapshots=[Snapshot(0, "network", name)], networks={"last": name})
    results = maker.results()
    found = history(results, run)
    assert found is not None
    assert (found.weights.shape, found.shape) == ((1, 4, 4096), (64, 64))
    assert [layer.shape for layer in layer_weights(results, run, "last")] == [(4, 4096), (4096, 4)]


def test_a_run_that_kept_nothing_has_no_history(autoencoders) -> None:
    maker = autoencoders()
    run = maker.run("plain", 0, curves=CURVES)
    assert history(maker.results(), run) is None
    assert layer_weights(maker.results(), run, "last") is None
