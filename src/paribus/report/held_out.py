"""What the outputs for single held-out examples show: read once an arm, and turned into sections."""

from __future__ import annotations

from paribus.analysis.calibration import Calibration, calibration
from paribus.analysis.confusion import Confusion, confusion, recorded_confusion
from paribus.analysis.hard_examples import agreement, hard_examples
from paribus.analysis.outputs import classified, held_out_split, predicted
from paribus.analysis.regions import regions
from paribus.analysis.residuals import Residuals, residuals
from paribus.analysis.results import Results
from paribus.report import classes, confidence, examples, planes, regression
from paribus.report.blocks import Section


def sections(results: Results) -> tuple[Section | None, ...]:
    """The sections on single examples; a study without their outputs has only those that recorded counts allow."""
    split = held_out_split(results)
    matrices, calibrations, hardest = list[Confusion](), list[Calibration](), list[examples.Hardest]()
    found = list[Residuals]()
    for arm in results.arms:
        # An arm's outputs can have many megabytes: only what is made of them is kept.
        outputs = None if split is None else classified(results, arm, split)
        if outputs is not None:
            matrices.append(confusion(outputs))
            calibrations.append(calibration(outputs))
            hardest.append(examples.Hardest(arm, outputs.split, agreement(outputs), hard_examples(results, outputs)))
        elif (counts := recorded_confusion(results, arm)) is not None:
            matrices.append(counts)
        numbers = None if split is None else predicted(results, arm, split)
        if numbers is not None:
            found += residuals(numbers)
    return (
        planes.section(results, [one for arm in results.arms if (one := regions(results, arm)) is not None]),
        classes.section(results, matrices),
        confidence.section(results, calibrations),
        examples.section(results, hardest),
        None if split is None else regression.section(results, found, split),
    )
