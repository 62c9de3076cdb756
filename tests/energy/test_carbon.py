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
    assert grid.overhead == 1.0
    assert "names no source and no year" in grid.source


@pytest.mark.parametrize("text", ["green", "-1", "0", "nan", "inf", "1e9"])
def test_a_senseless_grid_is_refused(text, monkeypatch):
    monkeypatch.setenv("PARIBUS_GRID_G_PER_KWH", text)
    with pytest.raises(UserError, match="PARIBUS_GRID_G_PER_KWH") as caught:
        grid_of_user()
    assert "\n" not in str(caught.value)


def test_a_factor_may_name_its_source_and_an_overhead(monkeypatch):
    monkeypatch.setenv("PARIBUS_GRID_G_PER_KWH", "50")
    monkeypatch.setenv("PARIBUS_GRID_SOURCE", "Energinet, 2025")
    monkeypatch.setenv("PARIBUS_OVERHEAD", "1.5")
    grid = grid_of_user()
    assert grid.source == "Energinet, 2025"
    assert carbon_g(JOULES_PER_KWH, grid) == pytest.approx(75)
    monkeypatch.setenv("PARIBUS_OVERHEAD", "0.5")
    with pytest.raises(UserError, match="PARIBUS_OVERHEAD: must be at least 1"):
        grid_of_user()


def test_a_country_has_its_factor_with_source_and_year(monkeypatch):
    """The oracle is CodeCarbon's own reader of its table."""
    from codecarbon.input import DataSource

    theirs = DataSource().get_global_energy_mix_data()["DNK"]
    monkeypatch.delenv("PARIBUS_GRID_G_PER_KWH", raising=False)
    monkeypatch.setenv("PARIBUS_GRID_COUNTRY", "dnk")
    grid = grid_of_user()
    assert (grid.g_per_kwh, grid.overhead) == (theirs["carbon_intensity"], 1.0)
    assert grid.source.startswith(f"Denmark, {theirs['year']}")
    monkeypatch.setenv("PARIBUS_GRID_COUNTRY", "DNQ")
    with pytest.raises(UserError, match="PARIBUS_GRID_COUNTRY"):
        grid_of_user()
    monkeypatch.setenv("PARIBUS_GRID_COUNTRY", "DNK")
    monkeypatch.setenv("PARIBUS_GRID_G_PER_KWH", "50")
    with pytest.raises(UserError, match="does not go with a factor"):
        grid_of_user()
