from paribus.store.extract import extract
from paribus.store.verify import verify
from paribus.store.workspace import Workspace


def test_a_study_alone_has_everything_that_is_recorded_of_it(sequence, complete, quick_path):
    """Candidates of a search and what they came to, too."""
    with Workspace.open(complete) as workspace:
        extract(workspace, [sequence.STUDY], quick_path / "alone")
    assert sequence.contents(quick_path / "alone") == sequence.contents(complete)
    assert verify(quick_path / "alone").problems == ()
