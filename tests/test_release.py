"""`python -m spacy project run release`: what may be released, with what notes, and the
checks of distributions. test_project.py runs the step that packages a pipeline."""

import hashlib
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
import srsly

from spacy_lstm_ner.sharing.card import write_card

from .helpers.paths import REPOSITORY

DATASETS = srsly.read_yaml(REPOSITORY / "assets" / "datasets.yml")
VERSION = re.search(
    r"^version = (.+)$", (REPOSITORY / "setup.cfg").read_text("utf8"), re.MULTILINE
)[1]


def run(script, *arguments, cwd=REPOSITORY):
    done = subprocess.run(
        [sys.executable, cwd / "scripts" / script, *map(str, arguments)],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf8",
    )
    return done.returncode, done.stdout


def release(*arguments, cwd=REPOSITORY):
    return run("release.py", *arguments, cwd=cwd)


# Licenses


def test_each_data_set_of_the_project_is_described():
    source = (REPOSITORY / "scripts/build_corpus.py").read_text("utf8")
    (names,) = re.findall(r"for f in \((.+?)\)}", source)
    assert DATASETS.keys() == set(names.split(", "))
    for facts in DATASETS.values():
        assert isinstance(facts["may_release"], bool) and facts["reason"]


@pytest.mark.parametrize("name", [n for n, d in DATASETS.items() if d["may_release"]])
def test_what_may_be_released_has_a_license_and_a_description(trained, tmp_path, name):
    facts = DATASETS[name]
    assert (REPOSITORY / facts["license_file"]).is_file()
    about = facts["about"]
    assert about["license"] and about["limits"] and about["intended_use"]
    assert all(data["license"] and data["url"] for data in about["data"])
    trained.to_disk(tmp_path)
    text = write_card(tmp_path, about=about).read_text("utf8")
    assert about["license"] in text and about["limits"][0] in text


@pytest.mark.parametrize("name", ["nested", "resume", "msra", "wnut17"])
def test_what_may_not_be_released_says_why(name):
    code, output = release("check", name)
    assert code == 1
    assert f"A pipeline trained on {name} may not be released." in output
    assert DATASETS[name]["reason"].split(". ")[0] in output
    assert "Choose sample or news (--vars.dataset)" in output


def test_check():
    code, output = release("check", "news")
    assert code == 0 and "Apache License 2.0" in output
    code, output = release("check", "weibo")
    assert code == 1 and "No data set 'weibo'" in output


def test_the_steps_check_the_license_before_the_training():
    steps = srsly.read_yaml(REPOSITORY / "project.yml")["workflows"]["release"]
    assert steps[0] == "release-check"
    assert steps.index("release-pipeline") > steps.index("evaluate")
    assert steps[-1] == "release-sums"


# Notes


@pytest.fixture
def checkout(tmp_path):
    """What the notes are made of, with a changelog of our own."""
    for name in ("setup.cfg", "scripts/release.py", "assets/datasets.yml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(REPOSITORY / name, tmp_path / name)
    return tmp_path


def changelog(checkout, unreleased="", version=VERSION):
    (checkout / "CHANGELOG.md").write_text(
        f"# Changelog\n\n## [Unreleased]\n\n{unreleased}\n"
        f"## [{version}] - 2026-11-23\n\n### Added\n\n- A thing.\n\n"
        "## [0.0.1] - 2026-01-01\n\nOld.\n\n"
        "[Unreleased]: https://example.com\n[0.0.1]: https://example.com\n",
        "utf8",
    )


def test_notes_are_the_section_of_the_version(checkout):
    changelog(checkout)
    code, output = release("notes", "--tag", f"v{VERSION}", cwd=checkout)
    assert code == 0
    title = f"# spacy_lstm_ner {VERSION} (2026-11-23)"
    assert output == f"{title}\n\n### Added\n\n- A thing.\n"


def test_a_release_needs_its_section_and_its_tag(checkout):
    changelog(checkout, "### Fixed\n\n- Another.\n")
    code, output = release("notes", "--tag", f"v{VERSION}", cwd=checkout)
    assert code == 1 and "CHANGELOG.md has changes under Unreleased" in output
    # Without a tag, the changes since then.
    code, output = release("notes", cwd=checkout)
    assert code == 0 and "- Another." in output and "- A thing." not in output
    assert f"changes after {VERSION}" in output
    changelog(checkout)
    code, output = release("notes", "--tag", "v9.9.9", cwd=checkout)
    assert (
        code == 1
        and f"The tag is v9.9.9, and the version in setup.cfg is {VERSION}" in (output)
    )
    changelog(checkout, version="9.9.9")
    code, output = release("notes", "--tag", f"v{VERSION}", cwd=checkout)
    assert code == 1 and f"has no section '## [{VERSION}] - DATE'" in output


# Checksums


def test_sums_of_all_files(checkout):
    changelog(checkout)
    folder = checkout / "release"
    folder.mkdir()
    names = [
        f"spacy_lstm_ner-{VERSION}-cp311-cp311-linux_x86_64.whl",
        f"spacy_lstm_ner-{VERSION}.tar.gz",
        "zh_news_lstm_ner-0.1.0-py3-none-any.whl",
        "zh_news_lstm_ner-0.1.0.md",
    ]
    for name in names:
        code, output = release("sum-up", folder, cwd=checkout)
        assert code == 1 and f"{folder} lacks" in output
        assert not (folder / "SHA256SUMS").exists()
        (folder / name).write_text(name)
    code, output = release("sum-up", folder, cwd=checkout)
    assert code == 0, output
    lines = (folder / "SHA256SUMS").read_text().splitlines()
    sums = dict(reversed(line.split("  ")) for line in lines)
    assert sums.keys() == {*names, "RELEASE_NOTES.md"}
    for name, digest in sums.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    # A second time, they are the same.
    assert release("sum-up", folder, cwd=checkout)[0] == 0
    assert (folder / "SHA256SUMS").read_text().splitlines() == lines


# Distributions


@pytest.fixture(scope="module")
def distributions(tmp_path_factory):
    """The wheel without kernels, and the source distribution."""
    folder = tmp_path_factory.mktemp("checkout")
    ignore = shutil.ignore_patterns("*.so", "*.pyd", "_native.cpp", "__pycache__")
    shutil.copytree(
        REPOSITORY / "spacy_lstm_ner", folder / "spacy_lstm_ner", ignore=ignore
    )
    files = ["setup.py", "setup.cfg", "pyproject.toml", "MANIFEST.in", "README.md"]
    for name in (*files, "LICENSE", "CHANGELOG.md", "CITATION.cff"):
        shutil.copy(REPOSITORY / name, folder / name)
    # These belong to a checkout only.
    (folder / "tests").mkdir()
    (folder / "tests" / "test_nothing.py").touch()
    script = (
        "import os; os.environ['SPACY_LSTM_NER_KERNELS'] = 'off';"
        "import setuptools.build_meta as b;"
        "b.build_sdist('dist'); b.build_wheel('dist')"
    )
    subprocess.run(
        [sys.executable, "-c", script], cwd=folder, check=True, capture_output=True
    )
    return folder / "dist"


def test_distributions_have_what_they_need_and_nothing_else(distributions):
    code, output = run("check_distributions.py", distributions)
    assert code == 0, output
    (wheel,) = distributions.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "spacy_lstm_ner/py.typed" in names
    for suffix in (".css", ".js", "sharing/card.md"):
        assert any(name.endswith(suffix) for name in names), suffix
    assert not [n for n in names if n.endswith((".cpp", ".h", ".pyx")) or "test" in n]


def test_missing_kernels_are_noticed(distributions):
    code, output = run("check_distributions.py", distributions, "--kernels")
    assert code == 1 and "it has no compiled kernels" in output


def test_wheels_with_too_little_or_too_much_are_noticed(distributions, tmp_path):
    (wheel,) = distributions.glob("*.whl")
    new = tmp_path / wheel.name
    with zipfile.ZipFile(wheel) as old, zipfile.ZipFile(new, "w") as archive:
        for info in old.infolist():
            if not info.filename.endswith("py.typed"):
                archive.writestr(info, old.read(info))
        archive.writestr("tests/test_nothing.py", "")
        archive.writestr("spacy_lstm_ner/kernels/src/avx2.cpp", "")
    code, output = run("check_distributions.py", new)
    assert code == 1
    assert "spacy_lstm_ner/py.typed is missing" in output
    assert "tests/test_nothing.py does not belong there" in output
    assert "kernels/src/avx2.cpp does not belong there" in output


def test_source_distributions_without_sources_are_noticed(distributions, tmp_path):
    (old,) = distributions.glob("*.tar.gz")
    new = tmp_path / old.name
    with tarfile.open(old) as source, tarfile.open(new, "w:gz") as archive:
        for member in source.getmembers():
            if not member.name.endswith("avx2.cpp"):
                archive.addfile(member, source.extractfile(member))
    code, output = run("check_distributions.py", new)
    assert code == 1 and "kernels/src/avx2.cpp is missing" in output


def test_files_that_setup_cfg_forgets_are_noticed(distributions, tmp_path):
    """As a template of a page, without which the page fails where it is installed."""
    for name in ("spacy_lstm_ner", "scripts"):
        ignore = shutil.ignore_patterns("*.so", "__pycache__")
        shutil.copytree(REPOSITORY / name, tmp_path / name, ignore=ignore)
    shutil.copy(REPOSITORY / "setup.cfg", tmp_path)
    (tmp_path / "spacy_lstm_ner" / "pages" / "new.html").touch()
    code, output = run("check_distributions.py", distributions, cwd=tmp_path)
    assert code == 1
    assert output.count("spacy_lstm_ner/pages/new.html is missing") == 2


def test_an_empty_folder(tmp_path: Path):
    code, output = run("check_distributions.py", tmp_path)
    assert code == 1 and "build it first" in output
