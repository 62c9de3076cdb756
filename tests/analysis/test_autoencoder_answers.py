import pytest

from paribus.analysis.autoencoder_answers import CHANCE, OVERLAP, bounds, nearest, relative
from paribus.analysis.beside_claims import beside_claims
from paribus.analysis.eigenfaces import pca_comparisons
from paribus.analysis.unseen_answers import sentences

CURVES = {"train_loss": [0.3, 0.2, 0.1]}


@pytest.fixture
def erring(autoencoders):
    """Results from the errors of each arm, one a replicate, with PCA's at 0.01 and the mean image's at 0.024."""

    def make(errors, *, collapsed=(), unseen=None):
        maker = autoencoders(replicates=len(next(iter(errors.values()))))
        for arm, values in errors.items():
            for replicate, value in enumerate(values):
                figures = {"mse": value, "pca_mse": 0.01, "mean_mse": 0.024,
                           "output_variation": 0.001 if (arm, replicate) in collapsed else 0.5}  # fmt: skip
                if unseen is not None:
                    figures |= {"val_mse": unseen[arm][replicate], "val_pca_mse": 0.012, "val_mean_mse": 0.03}
                measured = {("last", name): number for name, number in figures.items()}
                units = maker.units("last", dead=0, unmoved=0, of=4)
                maker.run(arm, replicate, curves=CURVES, measured=measured, artifacts=[units])
        return maker.results()

    return make


@pytest.mark.parametrize(
    ("plain", "centred", "said"),
    [
        ((0.020, 0.021, 0.022), (0.011, 0.012, 0.011), "centred comes nearest to PCA."),
        ((0.020, 0.011, 0.015), (0.012, 0.013, 0.014), "No arm comes clearly nearest to PCA."),
    ],
)
def test_the_nearest_arm_is_named_only_where_the_paired_difference_is_clear(erring, plain, centred, said):
    results = erring({"plain": plain, "centred": centred})
    assert nearest(pca_comparisons(results)) == said
    assert relative(results)[1] == said


@pytest.mark.parametrize(
    ("centred", "said"),
    [
        ((0.011, 0.012, 0.011), "1.13 times, with centred."),
        ((0.019, 0.022, 0.018), "1.97 times, with centred (no clear difference from plain)."),
    ],
)
def test_the_lowest_error_is_told_with_the_arms_that_are_not_clearly_further_from_pca(erring, centred, said):
    results = erring({"plain": (0.020, 0.021, 0.022), "centred": centred})
    assert beside_claims(results)[0] == f"Lowest error relative to PCA of the same rank: {said}"


def test_values_of_an_arm_with_collapsed_runs_are_given_one_by_one(erring):
    results = erring({"plain": (0.178, 0.03, 0.177), "centred": (0.011, 0.011, 0.012)}, collapsed=[("plain", 0)])
    (short, _) = relative(results)
    assert "same images: plain 17.80, 3.00 and 17.70; centred 1.13 times." in short


def test_the_theorem_holds_for_the_runs(erring):
    assert bounds(erring({"plain": (0.13, 0.02, 0.13)})) == [
        "As the Eckart-Young theorem requires, no network has a smaller error than PCA of the same rank."
    ]
    (fault,) = bounds(erring({"plain": (0.009, 0.02, 0.13)}))
    assert fault.startswith("plain: 1 of 3 runs have a smaller error than PCA, which no network of that rank can have.")


def test_on_people_not_trained_on_there_is_no_bound(erring):
    unseen = {"plain": (0.0113, 0.0114, 0.0115), "centred": (0.02, 0.021, 0.022)}
    results = erring({"plain": (0.0105, 0.0104, 0.0103), "centred": (0.011, 0.012, 0.013)}, unseen=unseen)
    below = [found.below for found in pca_comparisons(results, "validation")]
    assert below == [0, 0]  # an error below PCA's there is no fault
    first, plain, centred = sentences(results)
    assert "on other images a network can have a smaller error than PCA of the same rank" in first
    assert "0.95 times PCA's error there (1.04 times on training images)" in plain
    assert plain.endswith("PCA's error is larger, by the 95 % interval of the paired difference.")
    assert centred.endswith("PCA's error is smaller, by the 95 % interval of the paired difference.")


def test_overlap_and_chance_are_explained_as_they_are_computed():
    assert "mean squared cosine of the principal angles" in OVERLAP
    assert "dimension / number of pixels" in CHANCE
