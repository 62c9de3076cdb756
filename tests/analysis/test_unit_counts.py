from paribus.analysis.unit_counts import unit_counts

CURVES = {"train_loss": [0.3, 0.2, 0.1]}


def test_dead_and_unmoved_units_and_collapse_by_run(autoencoders) -> None:
    maker = autoencoders(replicates=3)
    for replicate, (dead, variation) in enumerate([(1, 0.7), (4, 0.0001)]):
        units = maker.units("last", dead=dead, unmoved=dead, of=4)
        measured = {("last", "output_variation"): variation}
        maker.run("plain", replicate, curves=CURVES, measured=measured, artifacts=[units])
    maker.run("plain", 2, curves=CURVES, state="diverged")
    found = unit_counts(maker.results())
    assert [(c.replicate, c.hidden, c.dead, c.unmoved, c.collapsed) for c in found] == [
        (0, 4, 1, 1, False), (1, 4, 4, 4, True), (2, 4, None, None, None),
    ]  # fmt: skip
    assert found[2].state == "diverged"
