"""A made-up sweep of the learning rate, whose regions and choice can be told by hand."""

from __future__ import annotations

from paribus.analysis.results import Results
from tests.analysis.conftest import FACES, Maker

SWEEP = """
format = 1
name = "sweep"
question = "Which rate?"
replicates = 2
loss = "mse"
[data]
source = "faces.npy"
split = "all"
[network]
kind = "autoencoder"
hidden = [4]
[optimizer]
kind = "adam"
lr = 1e-3
[training]
epochs = 4
batch_size = 2
[factors]
"network.hidden" = [[4], [8]]
"optimizer.lr" = [1e-5, 1e-4, 1e-3, 1e-2, 1e-1]
[choose]
metric = "mse"
by = "{by}"
within = ["network.hidden"]
without = ["collapsed"]
"""
STEADY, RISEN = [0.4, 0.3, 0.25, 0.3], [0.4, 0.1, 0.25, 0.05]
"""A loss that ends 1.2 times above its minimum, and one that was 2.5 times as high as an epoch before."""
ERRORS = {1e-5: 0.04, 1e-4: 0.0108, 1e-3: 0.01, 1e-2: 0.02, 1e-1: 0.05}


def made_sweep(by: str = "best", diverged: float | None = None) -> Results:
    """Two replicates of five rates x two widths: the highest rate is unstable in one run, the lowest one has collapsed.

    The second replicate has 1.2 times the error of the first; 8 units have half the error of 4. With 8 units, runs at
    the rate `diverged` have diverged.
    """
    maker = Maker(SWEEP.format(by=by), FACES)
    for hidden in (4, 8):
        for rate, error in ERRORS.items():
            for replicate in range(2):
                value = error * 4 / hidden * (1 + 0.2 * replicate)
                measured = {"mse": value, "output_variation": 0.001 if rate == 1e-5 else 0.5, "pca_mse": 0.005}
                maker.run(
                    f"hidden={hidden}, lr={rate}",
                    replicate,
                    curves={"train_loss": RISEN if rate == 1e-1 and replicate else STEADY},
                    measured={("last", name): number for name, number in measured.items()},
                    state="diverged" if rate == diverged and hidden == 8 else "done",
                )
    return maker.results()
