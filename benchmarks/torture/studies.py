"""Small studies on real images, which between them use every kind of thing that training has to remember."""

from __future__ import annotations

from pathlib import Path

_HEAD = """
format = 1
title = "A study to be killed"
question = "Is anything lost?"
replicates = 2
seed = 4179
"""

STUDIES = {
    "steps": """
name = "steps"
deploy = "max-val-accuracy"
data = { source = "fashion-mnist", split = "scarce", limit = { train = 400, validation = 200, test = 300 } }
network = { hidden = [24] }
optimizer = { kind = "sgd", lr = 0.02, momentum = 0.9 }
schedule = { kind = "multi-step", milestones = [4, 9], gamma = 0.3 }
training = { epochs = 120, batch_size = 48 }
selection = { rules = ["min-train-loss", "min-val-loss", "max-val-accuracy", "epoch:4", "last"] }
snapshots = { every = 6 }
test = { read_at = ["min-val-loss", "max-val-accuracy"] }
arms = [{ name = "heavy" }, { name = "nesterov", optimizer = { nesterov = true, weight_decay = 1e-3 } }]
""",
    "smooth": """
name = "smooth"
deploy = "max-test-accuracy"
data = { source = "fashion-mnist", split = "noisy-labels", label_noise = 0.3, limit = { train = 400, test = 200 } }
network = { hidden = [32, 16], dropout = 0.25 }
loss = { label_smoothing = 0.1 }
optimizer = { kind = "adam", lr = 1e-3, weight_decay = 1e-4 }
training = { epochs = 70, batch_size = 48 }
metrics = ["train_loss_end"]
selection = { rules = ["max-test-accuracy", "last"] }
test = { read_at = ["last"], monitor_every = 2, monitor_examples = 150 }
arms = [{ name = "smooth" }, { name = "sharp", loss = { label_smoothing = 0.0 }, network = { dropout = 0.5 } }]
""",
    "plateau": """
name = "plateau"
deploy = "min-val-loss"
data = { source = "fashion-mnist", split = "scarce", limit = { train = 300, validation = 200, test = 200 } }
network = { hidden = [24] }
optimizer = { kind = "adamw", lr = 2e-3 }
schedule = { kind = "reduce-on-plateau", patience = 2, factor = 0.5 }
training = { epochs = 150, batch_size = 50, early_stop = { rule = "min-val-loss", patience = 25 } }
selection = { rules = ["min-val-loss", "last"] }
test = { read_at = ["min-val-loss"] }
arms = [{ name = "plateau" }, { name = "settle", schedule = { kind = "settle", window = 5, threshold = 0.05 } }]
""",
    "faces": """
name = "faces"
deploy = "last"
loss = "mse"
metrics = ["train_loss_end"]
data = { source = "faces", split = "all", scale = "centre", limit = { train = 96 } }
network = { kind = "autoencoder", hidden = [8] }
optimizer = { kind = "adam", lr = 1e-3, weight_decay = 2.5e-5 }
training = { epochs = 60, batch_size = 32 }
selection = { rules = ["last", "min-train-loss"] }
snapshots = { first_layer_every = 6 }
denoising = { uniform = [0.4], zeroed = [0.5] }

[[arms]]
name = "even"

[[arms]]
name = "cosine"
schedule = { kind = "cosine", warmup_epochs = 5 }

[[arms]]
name = "clipped"
network = { activation = "tanh" }
optimizer = { kind = "rmsprop", lr = 1e-4, momentum = 0.9, centered = true }
schedule = "one-cycle"
training = { clip = { norm = 1.0 } }
""",
    "wild": """
name = "wild"
deploy = "min-val-loss"
data = { source = "fashion-mnist", split = "scarce", limit = { train = 400, validation = 200, test = 200 } }
network = { hidden = [24] }
optimizer = { kind = "sgd", lr = 0.05, momentum = 0.9 }
training = { epochs = 100, batch_size = 48 }
selection = { rules = ["min-val-loss", "last"] }
snapshots = { every = 6 }
test = { read_at = ["last"] }
arms = [
    { name = "calm" },
    { name = "wild", optimizer = { lr = 1.0, momentum = 0.0, weight_decay = 2.5 } },
    { name = "fading", schedule = { kind = "exponential", gamma = 0.97 } },
]
""",
}
"""Name to text. In `wild` one arm diverges: its command ends with exit code 3."""

MODULES = {
    "modules": """
name = "modules"
deploy = "min-val-loss"
data = { source = "fashion-mnist", split = "scarce", limit = { train = 600, validation = 200, test = 200 } }
network = { kind = "module", module = "nets.py:Net" }
loss = "nets.py:focal"
optimizer = { kind = "adam", lr = 1e-3 }
schedule = "one-cycle"
augmentation = { shift = 2 }
training = { epochs = 40, batch_size = 48 }
selection = { rules = ["min-val-loss", "last"] }
snapshots = { every = 6 }
test = { read_at = ["min-val-loss"] }
arms = [{ name = "narrow" }, { name = "wide", network = { arguments = { width = 8 } } }]
""",
}
"""Modules of the user's own, which train in processes: dropout, batch normalisation, and a loss of their own."""
NETS = """
import torch
from torch import nn
from torch.nn import functional


class Net(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        layers = [nn.Conv2d(1, width, 5, stride=2), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()]
        self.layers = nn.Sequential(*layers, nn.Dropout(0.2), nn.Linear(36 * width, 10))

    def forward(self, x):
        return self.layers(x)


def focal(outputs, targets):
    own = functional.cross_entropy(outputs, targets, reduction="none")
    return (1 - torch.exp(-own)) ** 2 * own
"""

SEARCHES = {
    "search": """
name = "search"
data = { source = "fashion-mnist", split = "scarce", limit = { train = 400, validation = 200, test = 200 } }
network = { hidden = [24] }
optimizer = { kind = "sgd", lr = 0.02 }
training = { epochs = 9, batch_size = 48 }
selection = { rules = ["min-val-loss"] }
test = { read_at = ["min-val-loss"] }

[search]
candidates = 4
batch = 2
objective = "min-val-loss"
halving = { grace = 3, factor = 2, replicates_from = 2 }
confirm = { finalists = 1, replicates = 2 }

[search.space]
"optimizer.kind" = { choice = ["sgd", "adam"] }
"optimizer.lr" = { log_uniform = [1e-3, 10] }
"optimizer.momentum" = { uniform = [0, 0.95], when = { "optimizer.kind" = "sgd" } }
"training.batch_size" = { choice = [24, 48] }
""",
}
"""A search of two batches, with rungs of one and of two replicates."""

SEARCHES["learning"] = (
    SEARCHES["search"]
    .replace('name = "search"', 'name = "learning"')
    .replace("candidates = 4\nbatch = 2", "candidates = 15\nbatch = 5")
    .replace("factor = 2", "factor = 3")
)
"""A search whose sampler proposes the last five candidates by what it was told: TPE begins with ten at random."""

LATER = {
    "steps": ("--set", 'test.read_at=["min-val-loss", "max-val-accuracy", "epoch:4"]'),
    "faces": ("--set", "denoising.uniform=[0.2, 0.4]"),
}
"""Name to options of the command: with them, recorded runs are measured again and not trained."""


def write(name: str, folder: Path) -> Path:
    """The study's file, made in `folder`, with that of its modules."""
    path = folder / f"{name}.toml"
    path.write_text(_HEAD + (STUDIES | MODULES | SEARCHES)[name], encoding="utf-8")
    if name in MODULES:
        (folder / "nets.py").write_text(NETS, encoding="utf-8")
    return path
