"""One search by another tool, with a plain PyTorch loop, on all cores: `python -m benchmarks.searching.peers TOOL SPACE
SEED`. Prints JSON: what it found, and the seconds that it took, imports and data left out.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from benchmarks.searching.spaces import ASHA_FACTOR, Space, space

Report = Callable[[int, float], bool]
"""Takes a finished epoch and its validation loss; says whether to stop."""


def main() -> None:
    tool, name, seed = sys.argv[1], sys.argv[2], int(sys.argv[3])
    search = {"ray": by_ray, "optuna": by_optuna}[tool]
    given = space(name, seed)
    import torch

    torch.set_num_threads(1)
    found = search(given, seed)
    sys.stdout.write(json.dumps(found) + "\n")


def train(given: Space, lr: float, batch: int, seed: int, report: Report) -> None:
    """The plain loop: whole data as tensors, batches by a random permutation, one evaluation an epoch."""
    import torch
    from torch import nn

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    layers: list[nn.Module] = []
    for before, after in zip(given.widths, given.widths[1:], strict=False):
        layers += [nn.Linear(before, after), nn.ReLU()]
    model = nn.Sequential(*layers[:-1])
    inputs, targets, held_out, wanted = (
        torch.from_numpy(np.asarray(part))
        for part in (given.inputs, given.targets, given.held_out, given.held_out_targets)
    )
    if given.reconstructs:
        loss_of: Any = nn.functional.mse_loss
        optimizer: Any = torch.optim.Adam(model.parameters(), lr=lr, weight_decay=given.weight_decay)
    else:
        targets, wanted = targets.long(), wanted.long()
        loss_of = nn.functional.cross_entropy
        optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9, weight_decay=given.weight_decay)
    for epoch in range(1, given.epochs + 1):
        order = torch.randperm(len(inputs))
        for start in range(0, len(inputs), batch):
            rows = order[start : start + batch]
            optimizer.zero_grad()
            loss_of(model(inputs[rows]), targets[rows]).backward()
            optimizer.step()
        with torch.no_grad():
            value = float(loss_of(model(held_out), wanted))
        if report(epoch, value):
            return


def by_ray(given: Space, seed: int) -> dict[str, Any]:
    """Ray Tune with ASHA and random sampling, as the reference study had it."""
    import logging

    os.environ["RAY_AIR_NEW_OUTPUT"] = "0"
    import ray
    from ray import tune
    from ray.tune.schedulers import ASHAScheduler
    from ray.tune.search.basic_variant import BasicVariantGenerator

    cores = len(os.sched_getaffinity(0))
    began = time.perf_counter()
    ray.init("local", num_cpus=cores, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    data = ray.put(given)

    def trial(config: Mapping[str, Any]) -> None:
        def report(_epoch: int, value: float) -> bool:
            tune.report({"val_loss": value})
            return False

        train(ray.get(data), config["lr"], config["batch"], seed, report)

    scheduler = ASHAScheduler(max_t=given.epochs, grace_period=given.grace, reduction_factor=ASHA_FACTOR)
    tuner = tune.Tuner(
        tune.with_resources(trial, {"cpu": 1}),
        param_space={"lr": tune.loguniform(*given.rates), "batch": tune.choice(list(given.batches))},
        tune_config=tune.TuneConfig(
            metric="val_loss",
            mode="min",
            num_samples=given.samples,
            scheduler=scheduler,
            search_alg=BasicVariantGenerator(random_state=seed),
        ),
        run_config=tune.RunConfig(verbose=0),
    )
    results = tuner.fit()
    best = results.get_best_result()
    seconds = time.perf_counter() - began
    ray.shutdown()
    assert best.metrics is not None
    assert best.config is not None
    return {
        "lr": best.config["lr"],
        "batch": best.config["batch"],
        "found": best.metrics["val_loss"],
        "seconds": seconds,
    }


def by_optuna(given: Space, seed: int) -> dict[str, Any]:
    """Optuna's own loop: TPE, its pruner of successive halving, and a thread for each core."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    began = time.perf_counter()
    pruner = optuna.pruners.SuccessiveHalvingPruner(min_resource=given.grace, reduction_factor=ASHA_FACTOR)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed), pruner=pruner)

    def objective(trial: optuna.Trial) -> float:
        lr = trial.suggest_float("lr", *given.rates, log=True)
        batch = trial.suggest_categorical("batch", given.batches)
        last = float("inf")

        def report(epoch: int, value: float) -> bool:
            nonlocal last
            last = value
            trial.report(value, epoch)
            return trial.should_prune()

        epochs = 0

        def counted(epoch: int, value: float) -> bool:
            nonlocal epochs
            epochs = epoch
            return report(epoch, value)

        train(given, lr, batch, seed, counted)
        if epochs < given.epochs:
            raise optuna.TrialPruned
        return last

    study.optimize(objective, n_trials=given.samples, n_jobs=len(os.sched_getaffinity(0)))
    seconds, best = time.perf_counter() - began, study.best_trial
    return {"lr": best.params["lr"], "batch": best.params["batch"], "found": best.value, "seconds": seconds}


if __name__ == "__main__":
    main()
