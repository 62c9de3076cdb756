"""How much memory training takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paribus.training.augmentation import dtype_of

if TYPE_CHECKING:
    from paribus.training.plan import PlannedRun


def bytes_per_run(run: PlannedRun) -> int:
    """Memory that one more run in a cohort takes at most, so that a cohort takes at most the sum over its runs.

    Data are shared and not counted, but each stream has its own augmented inputs. On a CPU, runs share activations, and
    each stream holds its evaluation sets as float32 features; a GPU makes those from the data at each evaluation. A
    module's activations are counted when it is checked; what PyTorch itself takes is not.
    """
    recipe, widths, dataset, module = run.recipe, run.widths, run.spec.dataset, run.spec.module
    if module is not None:
        kept = 2 + len(recipe.optimizer.buffers) + len(recipe.selection.rules)
        return 4 * module.size.tensors * kept + recipe.training.batch_size * module.size.activation_bytes
    tensors = run.parameters * (2 + len(recipe.optimizer.buffers) + len(recipe.selection.rules))
    activations = (5 if recipe.network.batch_norm else 4) * recipe.training.batch_size * sum(widths[1:])
    inputs = 2 * recipe.training.batch_size * widths[0]  # of a whole batch, and of the last one
    evaluated = dataset.validation + (dataset.train if recipe.metrics else 0)
    evaluation_sets = widths[0] * evaluated if run.spec.family == "cpu" else 0
    if recipe.training.co_teaching is not None:
        tensors, activations = 2 * tensors, 2 * activations
    remembered = 2 * dataset.train * len(dataset.classes) if recipe.loss.remembers else 0
    return 4 * (tensors + activations + inputs + evaluation_sets + remembered) + _augmented_bytes(run)


def _augmented_bytes(run: PlannedRun) -> int:
    """The augmented inputs of an epoch, which a GPU has beside those in the computer's memory."""
    augmentation, dataset, values = run.recipe.augmentation, run.spec.dataset, run.splits.train.pool.values
    if not augmentation.present:
        return 0
    held = 2 if augmentation.mixup else 1  # the examples that others are mixed with
    return held * dataset.train * dataset.features * dtype_of(augmentation, values.dtype, dataset.shape).itemsize
