from paribus.analysis.pairs import differing, pairs

NETWORKS = """
[[arms]]
name = "deep-wide"
network = { hidden = [128, 64, 128] }
[[arms]]
name = "deep"
network = { hidden = [32, 64, 32] }
[[arms]]
name = "kept otherwise"
selection = { rules = ["last"] }
test = { read_at = ["last"] }
[[arms]]
name = "two things"
optimizer = { lr = 1e-2 }
training = { batch_size = 64 }
[[arms]]
name = "two keys"
optimizer = { lr = 1e-2, weight_decay = 1e-4 }
[[arms]]
name = "other seed"
seed = 7
optimizer = { lr = 1e-2 }
"""


def test_arms_are_paired_by_the_one_thing_in_which_they_differ(classifiers) -> None:
    found = {(pair.first, pair.second): (pair.kind, pair.keys) for pair in pairs(classifiers(more=NETWORKS).results())}
    assert found["fixed", "dropped"][0] == "schedule"
    assert found["fixed", "deep"] == ("depth", ("network.hidden",))
    assert found["deep", "deep-wide"] == ("width", ("network.hidden",))
    assert found["fixed", "deep-wide"][0] == "depth and width"
    assert not any({"two things", "two keys", "other seed"} & set(names) for names in found)


def test_what_is_merely_kept_and_measured_makes_no_difference(classifiers) -> None:
    results = classifiers(more=NETWORKS).results()
    assert differing(results.recipe("fixed"), results.recipe("kept otherwise")) == ()
    assert differing(results.recipe("fixed"), results.recipe("two things")) == ("optimizer.lr", "training.batch_size")
