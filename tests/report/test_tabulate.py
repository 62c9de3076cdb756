from __future__ import annotations

import pytest

from paribus.report.tabulate import mean_and_sd_points, plain, signed, with_sd


@pytest.mark.parametrize(
    ("form", "mean", "sd", "words"),
    [
        ("error", 0.09041, 0.05749, ("0.090", "0.057")),
        ("error", 0.01769, 0.00198, ("0.0177", "0.0020")),
        ("error", 0.00745, 6.07e-06, ("0.00745", "0.00001")),
        ("error", 0.0033854, 3.6e-06, ("0.00339", "<0.00001")),
        ("ratio", 12.181, 7.745, ("12.2", "7.7")),
        ("ratio", 1.003, 8.18e-04, ("1.003", "0.001")),
        ("loss", 0.47382, 0.01234, ("0.474", "0.012")),
        ("count", 438.5, 189.2, ("438", "189")),
        ("count", 15.6, 0.5477, ("15.6", "0.5")),
        ("share", 0.8474, 0.0020, ("84.74 %", "0.20")),
        ("share", 0.8474, 3e-5, ("84.74 %", "<0.01")),
        ("quantity", 41_253.0, 834.0, ("41,250", "830")),
        ("error", 0.25, 0.0, ("0.25000", "")),
    ],
)
def test_a_mean_has_the_digits_that_its_spread_allows(form, mean, sd, words) -> None:
    assert with_sd(form, mean, sd) == words


@pytest.mark.parametrize("sd", [3.6e-9, 6.07e-06, 0.0019, 0.057, 3.1, 420.0])
@pytest.mark.parametrize("form", ["loss", "error", "ratio"])
def test_a_mean_and_its_spread_have_the_same_decimals_and_no_exponent(form, sd) -> None:
    mean, spread = with_sd(form, 0.5, sd)
    assert len(mean.partition(".")[2]) == len(spread.partition(".")[2])
    assert "e" not in mean + spread


def test_a_setting_with_a_kind_is_called_by_it() -> None:
    assert plain([{"kind": "relu"}, {"kind": "leaky-relu", "slope": 0.1}]) == "relu, leaky-relu, slope 0.1"


def test_no_difference_is_a_plain_zero() -> None:
    assert [signed("share", value) for value in (0.0131, -0.0131, 0.0)] == ["+1.31", "−1.31", "0"]


@pytest.mark.parametrize(("sd", "spread"), [(None, ""), (0.0, ""), (1e-5, "± <0.01"), (0.021, "± 2.10")])
def test_equal_differences_have_no_spread(sd, spread) -> None:
    cell = mean_and_sd_points("fall", "drop").show({"drop_mean": 0.2051, "drop_sd": sd})
    assert (cell.text, cell.faint) == ("20.51", spread)
