import numpy as np
from numpy.testing import assert_allclose

from paribus.analysis.outputs import predicted
from paribus.analysis.residuals import BINS, cells, largest, residuals
from tests.analysis.made_outputs import add, regressions


def test_residuals_are_true_minus_predicted_of_the_first_replicate():
    maker, rng = regressions(["price", "area"]), np.random.default_rng(0)
    true = rng.normal(100, 20, (50, 2)).astype(np.float32)
    given = [true + rng.normal(0, 1, true.shape).astype(np.float32) for _ in range(2)]
    for replicate in range(2):
        add(maker, given[replicate], numbers=true, rows=np.arange(50) + 7, replicate=replicate)
    found = residuals(predicted(maker.results(), "one", "test"))
    assert [one.target for one in found] == ["price", "area"]
    assert_allclose(found[1].residual, true[:, 1].astype(float) - given[0][:, 1])
    assert found[0].replicate == 0
    worst = largest(found[0], 3)
    errors = np.abs(true[:, 0].astype(float) - given[0][:, 0])
    assert np.abs(found[0].residual)[worst].tolist() == np.sort(errors)[::-1][:3].tolist()
    assert found[0].rows[worst[0]] == errors.argmax() + 7


def test_predictions_that_are_not_finite_are_left_out():
    maker = regressions(["price"])
    add(maker, np.array([[1.0], [np.inf], [np.nan]], np.float32), numbers=np.ones((3, 1), np.float32))
    (found,) = residuals(predicted(maker.results(), "one", "test"))
    assert found.rows.tolist() == [0]


def test_every_point_is_in_one_cell():
    rng = np.random.default_rng(1)
    across, up = rng.normal(size=5000), rng.normal(size=5000)
    found = cells(across, up)
    assert sum(cell.count for cell in found) == 5000
    assert len(found) <= BINS * BINS
    fullest = max(found, key=lambda cell: cell.count)
    inside = (fullest.left <= across) & (across < fullest.right) & (fullest.low <= up) & (up < fullest.high)
    assert inside.sum() == fullest.count
    assert [cell.count for cell in cells(np.ones(5), np.zeros(5))] == [5]
