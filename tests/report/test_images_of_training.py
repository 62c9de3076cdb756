"""Sections on augmentation and on hidden patches, from a small study that has run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from paribus.analysis.results import load
from paribus.report import augmentation, occlusion
from paribus.report.blocks import Fold, Gallery, Section, Table
from paribus.report.page import compose, html
from paribus.store.workspace import Workspace
from tests.execution.conftest import save_digits, tiny, trained

ARMS = """
[[arms]]
name = "plain"

[[arms]]
name = "moved"
augmentation = { shift = 1, flip = "horizontal" }

[[arms]]
name = "noisy"
augmentation = { noise = { gaussian = 0.1 }, zeroed = 0.25 }
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory):
    folder: Path = tmp_path_factory.mktemp("images")
    save_digits(folder)
    study = tiny(folder, ARMS, occlusion="{ patch = 2, stride = 1, examples = 4 }", replicates="1")
    with Workspace.open(folder / "workspace", create=True, write=True) as workspace:
        trained(study, workspace)
        yield load(workspace, "tiny")


def text(section: Section | None) -> str:
    assert section is not None
    return " ".join(section.lead)


def test_the_operations_are_told_in_their_order_with_their_arms(results) -> None:
    words = text(augmentation.section(results))
    assert "Training inputs of moved are changed at random" in words
    assert words.index("mirrored") < words.index("moved by up to 1 pixel along")
    assert "of noisy are changed" in words
    assert "normal noise with standard deviation 0.1 is added to each pixel" in words
    assert "each pixel is set to zero with probability 0.25" in words
    assert "plain" not in words


def test_augmented_examples_stand_beside_the_images_that_they_were_made_of(results) -> None:
    section = augmentation.section(results)
    folds = [block for block in section.blocks if isinstance(block, Fold)]
    assert [fold.title.partition(":")[0] for fold in folds] == ["moved", "noisy"]
    for (gallery,) in (fold.blocks for fold in folds):
        assert isinstance(gallery, Gallery)
        assert len(gallery.pictures) == 16
        assert [picture.caption for picture in gallery.pictures[1::2]] == ["in epoch 1"] * 8
        assert all(picture.alt for picture in gallery.pictures)


def test_each_image_has_its_map_and_the_table_has_the_recorded_falls(results) -> None:
    section = occlusion.section(results)
    assert "orange where it falls" in text(section)
    galleries = [block for block in section.blocks if isinstance(block, Gallery)]
    assert [len(gallery.pictures) for gallery in galleries] == [8, 8, 8]
    (table,) = (block for block in section.blocks if isinstance(block, Table))
    assert len(table.records) == 12
    (run, *_) = results.finished("plain")
    arrays = run.artifact(results.deploy("plain"), "occlusion/2-1-4")
    largest = np.asarray(arrays["change"]).reshape(4, -1).max(axis=1)
    own = [record["largest_fall"] for record in table.records if record["arm"] == "plain"]
    assert own == pytest.approx(largest.tolist())
    assert len({record["true"] for record in table.records}) == 3


def test_the_page_has_both_sections(results) -> None:
    page = html(compose(results))
    assert ">Occlusion maps</h2>" in page
    assert 'id="augmentation"' in page


def test_a_study_without_either_has_no_such_section(tmp_path: Path) -> None:
    save_digits(tmp_path)
    with Workspace.open(tmp_path / "workspace", create=True, write=True) as workspace:
        trained(tiny(tmp_path, replicates="1"), workspace)
        results = load(workspace, "tiny")
        assert augmentation.section(results) is None
        assert occlusion.section(results) is None
