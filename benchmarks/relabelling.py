"""Relabel and train again, as a remedy against wrong labels: benchmarks/relabelling.json.

    python -m benchmarks.relabelling

For each replicate of the built-in study `label-remedies`, `paribus audit` sees its noisy training images and nothing
else. Its suspects get the proposed labels, and the plain network of that study is trained on the result, with the same
held-out images and the same test images. `python -m benchmarks.remedies WORKSPACE` shows it beside the other remedies.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

import paribus
from benchmarks import machine
from paribus.data.loading import load_splits
from paribus.data.pool import Split, Splits
from paribus.seeding import Streams
from paribus.spec.network import Mlp
from paribus.spec.study import Study

JSON: Final = machine.ROOT / "benchmarks" / "relabelling.json"
REMEDIES: Final = "label-remedies"
CHOSEN: Final = "max-val-accuracy"
METRIC: Final = "test_accuracy"


def main() -> None:
    """Audit, relabel and train each replicate; write what came out."""
    argparse.ArgumentParser(prog="python -m benchmarks.relabelling", description=__doc__).parse_args()
    remedies = paribus.load(REMEDIES)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        audited = [relabelled(remedies, replicate, folder) for replicate in range(remedies.replicates.count)]
        trained = [trained_on(remedies, replicate, folder) for replicate in range(remedies.replicates.count)]
    found = {
        "epochs": remedies.arm(remedies.control).recipe.training.epochs,
        "replicates": [one | other for one, other in zip(audited, trained, strict=True)],
        "commit": machine.commit(),
        "machine": machine.environment(),
    }
    JSON.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found["replicates"], indent=1))


def relabelled(remedies: Study, replicate: int, folder: Path) -> dict[str, int]:
    """Write the replicate's data with corrected training labels; how many labels were wrong, were changed, and are."""
    splits = load_splits(
        remedies.arm(remedies.control).recipe.data, folder, Streams.of_replicate(remedies.seed, replicate)
    )
    truth = np.asarray(splits.train.true_labels)
    noisy = _labels(splits.train)
    given = folder / f"given-{replicate}.npz"
    np.savez(given, X=_images(splits.train), y=noisy)
    audit = paribus.audit(str(given), workspace=folder / "audits", progress=False)
    cleaned = np.load(audit.clean(folder / f"cleaned-{replicate}.npz", relabel=True))
    corrected = np.empty_like(noisy)
    corrected[cleaned["rows"]] = cleaned["y"].astype(noisy.dtype)
    _write(_path(folder, replicate), splits, corrected)
    return {
        "labels": len(truth),
        "wrong": int((noisy != truth).sum()),
        "changed": int((corrected != noisy).sum()),
        "changed_to_the_truth": int(((corrected != noisy) & (corrected == truth)).sum()),
        "wrong_after": int((corrected != truth).sum()),
    }


def trained_on(remedies: Study, replicate: int, folder: Path) -> dict[str, float | None]:
    """Train the plain network on the replicate's corrected labels, and test it."""
    plain = remedies.arm(remedies.control).recipe
    assert isinstance(plain.network, Mlp)
    study = paribus.study(
        f"relabelled-{replicate}",
        "How good is the plain network on relabelled data?",
        data={"source": str(_path(folder, replicate)), "split": {"by": "given"}},
        network={"hidden": list(plain.network.hidden)},
        optimizer={"kind": plain.optimizer.kind, "lr": plain.optimizer.lr},
        training={"epochs": plain.training.epochs, "batch_size": plain.training.batch_size},
        selection={"rules": ["last", CHOSEN]},
        test={"read_at": ["last", CHOSEN]},
        deploy="last",
        seed=remedies.seed + replicate,
        replicates=1,
    )
    (run,) = paribus.run(study, workspace=folder / "runs", progress=False).recorded.runs
    return {
        "last": run.value("last", METRIC),
        "chosen": run.value(CHOSEN, METRIC),
        "chosen_epoch": run.value(CHOSEN, "epoch"),
    }


def _write(path: Path, splits: Splits, corrected: npt.NDArray[Any]) -> None:
    assert splits.validation is not None
    assert splits.test is not None
    test = splits.test.open("selected snapshot")
    np.savez(
        path,
        X_train=_images(splits.train),
        y_train=corrected,
        X_val=_images(splits.validation),
        y_val=_labels(splits.validation),
        X_test=_images(test),
        y_test=_labels(test),
    )


def _path(folder: Path, replicate: int) -> Path:
    return folder / f"relabelled-{replicate}.npz"


def _images(split: Split) -> npt.NDArray[Any]:
    return np.asarray(split.pool.values[split.rows]).reshape(len(split), *split.pool.shape)


def _labels(split: Split) -> npt.NDArray[Any]:
    return np.asarray(split.labels)


if __name__ == "__main__":
    main()
