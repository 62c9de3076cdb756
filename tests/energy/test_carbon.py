import pytest

from paribus.energy.carbon import CARBONTRACKER, carbon_g, grid_of_user
from paribus.errors import UserError
from paribus.units import JOULES_PER_KWH


def test_the_references_carbon_figures_follow_from_the_constants_it_did_not_name():
    reported_kwh = 0.015426  # its overhead is in it already
    grams = carbon_g(reported_kwh / CARBONTRACKER.overhead * JOULES_PER_KWH, CARBONTRACKER)
    assert grams == pytest.approx(4.538467, rel=1e-4)


def test_no_location_is_guessed(monkeypatch):
    monkeypatch.delenv("PARIBUS_GRID_G_PER_KWH", raising=False)
    assert grid_of_user() is None


def test_the_users_grid_is_used_and_named(monkeypatch):
    monkeypatch.setenv("PARIBUS_GRID_G_PER_KWH", "50")
    grid = grid_of_user()
    assert carbon_g(JOULES_PER_KWH, grid) == pytest.approx(50)
    assert grid.source == "PARIBUS_GRID_G_PER_KWH"


@pytest.mark.parametrize("text", ["green", "-1", "0", "nan", "inf", "1e9"])
def test_a_senseless_grid_is_refused(text, monkeypatch):
    monkeypatch.setenv("PARIBUS_GRID_G_PER_KWH", text)
    with pytest.raises(UserError, match="PARIBUS_GRID_G_PER_KWH") as caught:
        grid_of_user()
    assert "\n" not in str(caught.value)
