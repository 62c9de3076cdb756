"""What augmentation does to training inputs: the operations in words, and a few examples before and after."""

from __future__ import annotations

from paribus.analysis.augmentation import Augmented, augmented
from paribus.analysis.results import Results
from paribus.analysis.wording import listed
from paribus.report.blocks import Block, Fold, Gallery, Picture, Section
from paribus.report.images import image, is_image, shown_size


def section(results: Results) -> Section | None:
    """A sentence for each way of augmentation, and examples where they are images; None where nothing is augmented."""
    found = augmented(results)
    if not found:
        return None
    blocks: list[Block] = []
    for one in found:
        dataset = results.dataset(one.arms[0])
        if one.examples and dataset is not None and is_image(dataset.shape):
            blocks.append(Fold(f"{', '.join(one.arms)}: images before and after", (_gallery(one, dataset.shape),)))
    whose = listed(arm for one in found for arm in one.arms)
    lead = tuple(one.sentence for one in found)
    folded = f"How the training inputs of {whose} are changed"
    return Section("augmentation", "Augmentation", tuple(blocks), lead=lead, folded=folded)


def _gallery(one: Augmented, shape: tuple[int, ...]) -> Gallery:
    """Each image, and beside it what the network was given in the first epoch."""
    pictures: list[Picture] = []
    for row, clean, seen in one.examples:
        pictures.append(Picture(image(clean, shape), f"Training image of row {row}", f"row {row}"))
        pictures.append(Picture(image(seen, shape), f"Row {row} as it was augmented in epoch 1", "in epoch 1"))
    return Gallery("", tuple(pictures), *shown_size(shape))
