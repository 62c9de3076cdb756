"""The first study of somebody's data, read and checked: what `paribus new --data` writes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from paribus.cli.draft import drafted
from paribus.cli.draft_text import study_text
from paribus.data.loading import load_splits
from paribus.spec.fit import refuse_misfit
from paribus.spec.study import parse

if TYPE_CHECKING:
    from paribus.spec.study import Study


def draft_study(data: str, target: str | None, folder: Path) -> tuple[str, Study]:
    """A first study of the source `data`, whose relative path begins at `folder`; `target` is what to predict.

    It is given as the text of a study file, which says on each line why, and as a study. Raises UserError where the
    data cannot be read, or no network fits them.
    """
    text = study_text(drafted(data, target, folder))
    study = parse(text, place="the study", folder=folder)
    arm = study.arms[0]
    of_arm = arm.recipe.data.model_copy(update={"task": arm.recipe.task})
    refuse_misfit(arm, load_splits(of_arm, folder, study.streams(arm, 0)).dataset)
    return text, study
