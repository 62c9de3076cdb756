"""Which files a module's source has, and that what trains is what was found."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from paribus.errors import UserError
from paribus.training.torch.module_engine import initial_state
from paribus.training.torch.user_code import import_file, sources, user_code
from tests.training.torch.module_runs import BLOCKS, active, prepared


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".py").write_text(text, encoding="utf-8")
    return folder


def names(folder: Path, file: str = "own_net.py", study: Path | None = None) -> list[str]:
    import_file(folder / file, study or folder)
    return [source.name for source in sources(folder / file, study or folder)]


def test_local_files_are_those_that_were_imported_at_any_depth(tmp_path):
    write(
        tmp_path,
        own_net="import own_a\nimport json\nimport torch\n",
        own_a="from own_pack import own_b\n",
        own_pack__own_b="import own_pack.own_c\n",
        own_pack__own_c="x = 1\n",
        own_unused="x = 1\n",
    )
    assert names(tmp_path) == ["own_net.py", "own_a.py", "own_pack/own_b.py", "own_pack/own_c.py"]


def test_installed_packages_in_the_studys_folder_are_not_local(tmp_path, monkeypatch):
    write(tmp_path, own_net="import own_installed\n")
    packages = tmp_path / ".venv" / "lib" / "site-packages"
    write(packages, own_installed="x = 1\n")
    monkeypatch.syspath_prepend(packages)
    assert names(tmp_path) == ["own_net.py"]
    sys.modules.pop("own_installed")


def test_files_of_the_studys_folder_count_where_the_module_lies_below_it(tmp_path, monkeypatch):
    write(tmp_path, models__own_net="import own_shared\n", own_shared="x = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert names(tmp_path / "models", study=tmp_path) == ["own_net.py", "../own_shared.py"]


def test_a_changed_file_is_compiled_anew_and_no_compiled_file_is_written(tmp_path):
    write(tmp_path, own_net="import own_a\nx = own_a.x\n", own_a="x = 1\n")
    assert import_file(tmp_path / "own_net.py", tmp_path).x == 1
    before = (tmp_path / "own_a.py").stat()
    write(tmp_path, own_a="x = 2\n")  # of the same size
    os.utime(tmp_path / "own_a.py", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert import_file(tmp_path / "own_net.py", tmp_path).x == 2
    assert not list(tmp_path.rglob("*.pyc"))


def test_files_of_one_name_in_two_folders_are_two_files(tmp_path):
    for folder, value in (("one", 1), ("two", 2)):
        write(tmp_path / folder, own_net="import own_a\nx = own_a.x\n", own_a=f"x = {value}\n")
    for folder, value in (("one", 1), ("two", 2), ("one", 1)):
        assert import_file(tmp_path / folder / "own_net.py", tmp_path / folder).x == value


def test_the_identity_changes_with_an_imported_file(tmp_path):
    folder = prepared(tmp_path)
    before, again = active(folder, network=BLOCKS).spec, active(folder, network=BLOCKS).spec
    assert before.id == again.id
    assert [file.name for file in before.module.files] == ["nets.py", "blocks.py"]
    blocks = folder / "blocks.py"
    blocks.write_text(blocks.read_text(encoding="utf-8") + "# more\n", encoding="utf-8")
    assert active(folder, network=BLOCKS).spec.id != before.id


def test_what_has_changed_since_it_was_tried_does_not_train(tmp_path):
    from paribus.training.cohort import architecture

    folder = prepared(tmp_path)
    run = active(folder)
    blocks = folder / "blocks.py"
    blocks.write_text(blocks.read_text(encoding="utf-8") + "# more\n", encoding="utf-8")
    initial_state(architecture(run.spec), 1)  # what is imported already is what was checked
    from paribus.training.torch import user_code

    user_code._loaded.clear()
    with pytest.raises(UserError, match=r"must not change while a study trains.*blocks\.py"):
        initial_state(architecture(run.spec), 1)
    blocks.unlink()
    with pytest.raises(UserError, match=r"same path on every node of a cluster.*blocks\.py"):
        initial_state(architecture(run.spec), 1)


def test_functions_may_import_when_they_are_called(tmp_path):
    write(tmp_path, own_net="def f():\n    import own_late\n    return own_late.x\n", own_late="x = 3\n")
    module = import_file(tmp_path / "own_net.py", tmp_path)
    assert module.f() == 3


def test_a_class_is_imported_once_for_a_source(tmp_path):
    run = active(prepared(tmp_path))
    assert user_code(run.spec.module, "LeNet") is user_code(run.spec.module, "LeNet")
