import stat

import pytest

from paribus.data.apt import FetchError, unpacked_package

APT = """#!/bin/sh
test "$LC_ALL" = C || exit 9
echo "$@" >> "{log}"
case "$*" in
    *update*) exit 100 ;;
    *download*) {download} ;;
esac
"""
DPKG = """#!/bin/sh
mkdir -p "$3/usr/share" && cp "$2" "$3/usr/share/content"
"""


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """Replacements of apt-get and dpkg-deb; apt's update fails, as it does if one source does not answer."""

    def install(download, *, dpkg=True):
        folder = tmp_path / "bin"
        folder.mkdir()
        scripts = {"apt-get": APT.format(log=tmp_path / "log", download=download)} | (
            {"dpkg-deb": DPKG} if dpkg else {}
        )
        for name, text in scripts.items():
            (folder / name).write_text(text)
            (folder / name).chmod(stat.S_IRWXU)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin" if dpkg else str(folder))
        (tmp_path / "private").mkdir()
        return tmp_path / "private"

    return install


def test_a_package_is_fetched_and_unpacked_in_the_private_folder_only(tools, tmp_path):
    private = tools("echo packed > toy_1_all.deb")
    tree = unpacked_package("toy", private)
    assert (tree / "usr/share/content").read_text() == "packed\n"
    assert private in tree.parents
    settings = (private / "apt.conf").read_text()
    for directory in ("Dir::State::lists", "Dir::Cache::archives", "Dir::State::status"):
        assert f'{directory} "{private}/' in settings
    calls = (tmp_path / "log").read_text().splitlines()
    assert [call.split()[3] for call in calls] == ["update", "download"]
    assert all(f"-c {private / 'apt.conf'}" in call for call in calls)


@pytest.mark.parametrize(
    ("download", "reason"),
    [
        ("echo E: Unable to locate package toy; exit 100", "Unable to locate package toy"),
        ("exit 100", "apt-get failed"),
        ("true", "gave no archive of toy"),
    ],
)
def test_apts_own_reason_is_passed_on(download, reason, tools):
    with pytest.raises(FetchError, match=reason):
        unpacked_package("toy", tools(download))


def test_a_machine_without_apt_says_so(tools):
    with pytest.raises(FetchError, match="no dpkg-deb here"):
        unpacked_package("toy", tools("true", dpkg=False))
