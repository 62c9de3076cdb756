from __future__ import annotations

from paribus.analysis.review import differences
from paribus.spec.study import Study, parse

TEXT = """
name = "task"
question = "Does a wider layer help?"
replicates = 3
data = { source = "sklearn:wine", split = { by = "all", validation = 0.25 } }
network = { hidden = [4] }
optimizer = { kind = "sgd", lr = 0.1 }
training = { epochs = 5, batch_size = 16 }

[[arms]]
name = "narrow"

[[arms]]
name = "wide"
network = { hidden = [16] }

[[claims]]
statement = "Wider is better."
metric = "val_accuracy"
better = { arm = "wide" }
than = { arm = "narrow" }
by = 0.01
because = "A point matters."
"""


def study(text: str = TEXT) -> Study:
    return parse(text, place="a study")


def test_a_study_does_not_differ_from_itself_nor_by_its_name() -> None:
    assert list(differences(study(), study())) == []
    renamed = TEXT.replace('name = "task"', 'name = "mine"').replace("Does a", "Would a")
    assert list(differences(study(), study(renamed))) == []


def test_settings_of_all_arms_are_told_once_and_those_of_one_by_its_name() -> None:
    changed = TEXT.replace("lr = 0.1", "lr = 0.5").replace("hidden = [16]", "hidden = [32]")
    changed = changed.replace("replicates = 3", "replicates = 2\nseed = 7")
    found = list(differences(study(), study(changed)))
    assert "optimizer.lr: 0.1 -> 0.5" in found
    assert "seed: 0 -> 7" in found
    assert "arm wide: network.hidden: [16] -> [32]" in found
    assert "replicates.count: 3 -> 2" in found
    assert len(found) == 4


def test_arms_and_claims_that_are_missing_new_or_changed_are_told() -> None:
    changed = TEXT.replace("by = 0.01", "by = 0.1")
    told = "claim changed: Wider is better. (by 0.01 -> 0.1, val_accuracy)"
    assert list(differences(study(), study(changed))) == [told]
    huge = '[[arms]]\nname = "huge"\nnetwork = { hidden = [64] }\n\n'
    more = TEXT.replace("[[claims]]", f"{huge}[[claims]]")
    assert list(differences(study(), study(more))) == ["arm huge is new"]
    assert list(differences(study(more), study())) == ["arm huge is missing"]
    without = TEXT[: TEXT.index("[[claims]]")]
    assert list(differences(study(), study(without))) == ["claim dropped: Wider is better."]
    assert list(differences(study(without), study())) == ["claim added: Wider is better."]
