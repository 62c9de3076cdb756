import re

import numpy as np
import pytest
from sklearn.decomposition import PCA

from paribus.analysis.answers import MAX_POINTS, answer
from paribus.analysis.denoising import deployed
from paribus.analysis.results import Results
from paribus.data import faces
from paribus.data.pool import whole
from paribus.report import denoising, eigenfaces, reconstructions, weight_images
from paribus.report.blocks import Chart, Fold, Montage, SideBySide, Table, within
from paribus.report.denoising_charts import NOTHING, arm_rows, other_rows
from paribus.report.montage import strip
from paribus.report.page import compose, html


@pytest.fixture(scope="module")
def drawn(faces_results: Results):
    """The blocks of the sections about faces, by name."""
    parts = [part.section(faces_results) for part in (reconstructions, weight_images, eigenfaces, denoising)]
    blocks = [block for part in parts if part is not None for block in within(part.blocks)]
    return {block.name: block for block in blocks if isinstance(block, Montage | Chart | Table)}


def test_the_opening_grid_has_input_pca_and_every_arm_with_its_error(faces_results: Results) -> None:
    grid = reconstructions.hero(faces_results)
    assert isinstance(grid, Montage)
    assert [row.label for row in grid.strips] == ["input", "PCA, rank 16", "PCA, rank 64", *faces_results.arms]
    assert {row.count for row in grid.strips} == {6}
    assert grid.strips[1].faint == "error 0.00742"
    ratio = np.mean(faces_results.values("n=16", "last", "mse")) / 0.00742
    assert f"{ratio:.2f} × PCA" in grid.strips[3].faint


def test_the_best_the_worst_and_every_replicate_are_shown(drawn, faces_results: Results) -> None:
    section = reconstructions.section(faces_results)
    assert section is not None
    assert section.lead[0].endswith("in the first replicate of each arm at the last epoch.")
    assert [row.label for row in drawn["best-0"].strips] == ["input", "n=16"]
    assert drawn["worst-0"].strips[1].faint.startswith("errors 0.0")
    rows = [row.label for row in drawn["replicates-0"].strips]
    assert rows == ["input", *(f"replicate {i}" for i in faces_results.study.replicates.indices)]


def test_the_spectrum_is_that_of_scikit_learn(drawn) -> None:
    theirs = PCA(64, svd_solver="full").fit(whole(faces.pool()).inputs.astype(float)).explained_variance_ratio_
    ours = [row["share"] for row in drawn["spectrum"].data["spectrum"]]
    np.testing.assert_allclose(ours, theirs, rtol=1e-3)


def test_overlap_and_angles_are_drawn_from_tables(drawn, faces_results: Results) -> None:
    chart = drawn["overlap-over-epochs"]
    assert {row["arm"] for row in chart.data["overlap"]} == set(faces_results.arms)
    assert all(0 <= row["lo"] <= row["mean"] <= row["hi"] <= 1 for row in chart.data["overlap"])
    assert max(row["chance"] for row in chart.data["chance"]) == 64 / 4096
    assert "mean squared cosine of the principal angles" in chart.note
    assert "by chance (" in chart.note
    assert "1.56 % at the last epoch)" in chart.note
    note = drawn["overlap"].note
    assert "Moved units: the cosine between their incoming weights and the initial ones is at most 0.9." in note
    angles = drawn["angles-decoder"].data["angles"]
    assert all(0 <= row["degrees"] <= 90 for row in angles)


def test_quality_is_drawn_against_severity_for_every_kind(drawn, faces_results: Results) -> None:
    for quality in ("mse", "psnr", "ssim"):
        for kind in ("uniform", "gaussian", "zeroed", "block"):
            chart = drawn[f"denoising-{quality}-{kind}"]
            severities = getattr(faces_results.recipe("n=16").denoising, kind)
            assert {row["severity"] for row in chart.data["arms"]} == set(severities)
            assert {row["who"] for row in chart.data["others"]} == {NOTHING, "PCA, rank 16", "PCA, rank 64"}
    table = drawn["denoising"]
    assert {"noisy_mse_mean", "network_psnr_mean", "pca_ssim_mean"} <= set(table.records[0])


def test_rows_of_a_severity_chart(faces_results: Results) -> None:
    cases = tuple(case for case in deployed(faces_results, "ssim") if case.kind == "zeroed")
    rows = arm_rows(faces_results, cases)
    assert len(rows) == len(faces_results.arms) * len({case.severity for case in cases})
    assert all(row["lo"] <= row["mean"] <= row["hi"] for row in rows)
    nothing = [row for row in other_rows(faces_results, cases) if row["who"] == NOTHING]
    assert [row["severity"] for row in nothing] == sorted({case.severity for case in cases})


def test_where_networks_help_is_a_table(drawn, faces_results: Results) -> None:
    table = drawn["helps"]
    assert [row["arm"] for row in table.records] == list(faces_results.arms)
    assert [heading.title for heading in table.headings][1:] == [
        "uniform noise", "normal noise", "zeroed pixels", "a missing block"
    ]  # fmt: skip


def test_dead_units_have_a_frame() -> None:
    images = np.zeros((3, 16))
    plain, framed = (strip(images, (4, 4), signed=True, framed=flags) for flags in ([], [False, True, False]))
    assert plain != framed
    assert framed == strip(images, (4, 4), signed=True, framed=[False, True, False])


def test_the_answer_says_how_near_the_networks_come_to_pca_and_what_they_make_of_noise(faces_results: Results) -> None:
    ratios = {
        arm: np.mean(np.divide(faces_results.values(arm, "last", "mse"), faces_results.values(arm, "last", "pca_mse")))
        for arm in faces_results.arms
    }
    best = min(ratios, key=lambda arm: ratios[arm])
    found = answer(faces_results)
    nearest = f"Lowest error relative to PCA of the same rank: {ratios[best]:.2f} times, with {best}"
    assert any(point.startswith(nearest) for point in found.points)
    gains = [gain for case in deployed(faces_results) if (gain := case.gain.interval) is not None]
    assert gains
    better, worse = sum(gain.low > 0 for gain in gains), sum(gain.high < 0 for gain in gains)
    said = (
        f"Of {len(gains)} cases of corrupted images, the networks bring {better} nearer to the clean images and {worse}"
    )
    assert any(point.startswith(said) for point in found.points)
    assert len(found.points) <= MAX_POINTS + 1


def test_an_arm_with_collapsed_runs_has_the_range_of_its_errors(faces_results: Results, monkeypatch) -> None:
    """A mean of collapsed and other runs describes none of them."""
    values, errors = faces_results.values, (0.125, 0.015625)
    made_up = {"mse": errors, "collapsed": (1.0, 0.0)}

    def with_collapse(_results: Results, arm: str, rule: str, metric: str):
        return made_up[metric] if arm == "n=16" and metric in made_up else values(arm, rule, metric)

    monkeypatch.setattr(Results, "values", with_collapse)
    words = reconstructions.error_words(faces_results, "n=16")
    assert words.startswith("error 0.12500 and 0.01562, ")
    assert f"{np.mean(errors):.5f}" not in words
    assert words.endswith("; 1 of 2 runs collapsed")
    assert "collapsed" not in reconstructions.error_words(faces_results, "n=64")


def test_the_weights_in_full_sight_are_those_of_the_arm_with_the_fewest_dead_units(
    faces_results: Results, monkeypatch
) -> None:
    dead = {arm: place for place, arm in enumerate(reversed(faces_results.arms))}
    monkeypatch.setattr(weight_images, "_dead", lambda _results, run: dead[run.arm])
    part = weight_images.section(faces_results)
    assert part is not None
    shown = [
        next(within(block.blocks)).title.partition(",")[0] for block in part.blocks if isinstance(block, SideBySide)
    ]
    folded = [block.title.partition(":")[0] for block in part.blocks if isinstance(block, Fold)]
    (open_one,), (beside, *other_width) = shown, folded
    assert dead[open_one] < dead[beside]
    assert len(other_width) == 2
    assert dead[other_width[0]] < dead[other_width[1]]


def test_one_kind_of_corrupted_images_and_no_principal_angles_are_in_full_sight(faces_results: Results) -> None:
    parts = [eigenfaces.section(faces_results), denoising.section(faces_results)]
    seen = [block for part in parts if part is not None for block in _in_sight(part.blocks)]
    assert len([block for block in seen if isinstance(block, Montage) and block.name.startswith("noisy-")]) == 1
    hidden = ("angles-", "overlap-over-epochs", "denoising-psnr", "denoising-ssim", "last-layer-")
    assert not [block for block in seen if isinstance(block, Chart | Montage) and block.name.startswith(hidden)]


def _in_sight(blocks):
    for block in blocks:
        if isinstance(block, SideBySide):
            yield from _in_sight(block.blocks)
        elif not isinstance(block, Fold):
            yield block


def test_images_shrink_with_their_card_down_to_a_size_that_can_be_seen(faces_results: Results) -> None:
    page = compose(faces_results)
    text = html(page)
    assert ".montage img { display: block; max-width: 100%; height: auto; }" in text
    for width, least in re.findall(r'<img [^>]*width="(\d+)" height="\d+" style="min-width:(\d+)px">', text):
        assert int(least) <= int(width)
    sizes = [(int(w), int(m)) for w, m in re.findall(r'width="(\d+)" height="\d+" style="min-width:(\d+)px"', text)]
    assert any(least < width for width, least in sizes)
