"""`push`, with the client of the hub and a server that has the interface of the hub."""

import json
import os
import shutil
import subprocess
import sys
import zipfile

import pytest
import spacy
import srsly

from spacy_lstm_ner.sharing.card import write_card
from spacy_lstm_ner.sharing.package import read_package

from ..helpers.commands import run_command
from ..helpers.fake_hub import fake_hub
from ..helpers.packages import package_pipeline

pytest.importorskip("huggingface_hub", reason='needs the extra "hub"')

REPO = "writer/zh_people"
TEXT = "王芳任教授。"


@pytest.fixture(scope="module")
def packages(held_out_folder, tmp_path_factory):
    """The wheels of a pipeline with a card, in two versions."""
    folder = tmp_path_factory.mktemp("packages")
    nlp = spacy.load(held_out_folder / "model")
    wheels = []
    for version in ("1.0.0", "2.0.0"):
        nlp.to_disk(folder / version)
        write_card(
            folder / version,
            name="people",
            version=version,
            about={"license": "MIT", "limits": ["It knows few names."]},
        )
        wheels.append(package_pipeline(folder / version, folder / "packages"))
    return wheels


@pytest.fixture
def hub(monkeypatch, tmp_path):
    from huggingface_hub import constants

    with fake_hub() as server:
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        # The files go to the storage of large files as to git, not to another service.
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
        monkeypatch.setenv("HF_TOKEN", "hf_writer")
        yield server


def push(wheel, repo=REPO, *options):
    return run_command("push", wheel, repo, *options)


def test_card_wheel_and_pipeline_in_one_commit(hub, packages):
    code, output = push(packages[0])
    assert code == 0, output
    repo = hub.repos[REPO]
    assert not repo.private
    assert repo.messages == ["initial commit", "zh_people 1.0.0"]
    files = repo.files()
    assert files[packages[0].name] == packages[0].read_bytes()
    names = {"README.md", "config.cfg", "meta.json", "lstm_ner/model", "vocab/vectors"}
    assert names < files.keys()
    # Binary files are large ones, as on the hub; text is not.
    large = {packages[0].read_bytes(), files["lstm_ner/model"]}
    assert large <= set(hub.large.values())
    assert files["config.cfg"] not in hub.large.values()
    address = f"{hub.url}/{REPO}/resolve/main/{packages[0].name}"
    assert f"pip install {address}" in output and f"{hub.url}/{REPO} commit" in output
    card = files["README.md"].decode()
    assert f"pip install {address}\n" in card and "- It knows few names." in card


def test_in_processes_of_a_user_and_loaded_after_a_download(hub, packages, tmp_path):
    """The client reads the address of the hub from the environment."""
    environment = {
        **os.environ,
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(tmp_path / "cache"),
        "HF_HUB_DISABLE_XET": "1",
        "PYTHONIOENCODING": "utf8",
    }
    script = (
        "import spacy, huggingface_hub;"
        f"folder = huggingface_hub.snapshot_download({REPO!r});"
        f"print(*spacy.load(folder)({TEXT!r}).ents)"
    )
    outputs = []
    for command in (
        ("-m", "spacy", "lstm-ner", "push", packages[0], REPO),
        ("-c", script),
    ):
        done = subprocess.run(
            [sys.executable, *command],
            env=environment,
            capture_output=True,
            encoding="utf8",
        )
        assert done.returncode == 0, done.stdout + done.stderr
        outputs.append(done.stdout)
    expected = spacy.load(packages[0].parents[3] / "1.0.0")(TEXT).ents
    assert expected and outputs[1].split() == [ent.text for ent in expected]


def test_pip_installs_what_is_printed(hub, packages, tmp_path):
    code, output = push(packages[0])
    assert code == 0
    address = output.partition("pip install ")[2].split()[0]
    options = ("-q", "--no-deps", "--no-cache-dir", "--disable-pip-version-check")
    target = tmp_path / "target"
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install"),
            *options,
            "--target",
            target,
            address,
        ],
        check=True,
    )
    script = f"import spacy; print(*spacy.load('zh_people')({TEXT!r}).ents)"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(target), "PYTHONIOENCODING": "utf8"},
        capture_output=True,
        encoding="utf8",
    )
    expected = spacy.load(packages[0].parents[3] / "1.0.0")(TEXT).ents
    assert done.stdout.split() == [ent.text for ent in expected], done.stderr


def test_a_new_version_replaces_the_pipeline_and_keeps_the_rest(hub, packages):
    repo = hub.add_repo(REPO)
    old = {"lstm_ner/weights_of_old": b"x", "picture.png": b"y", "notes/a.txt": b"z"}
    repo.commit("main", {**repo.files(), **old}, "other files")
    for wheel in packages:
        assert push(wheel)[0] == 0
    files = repo.files()
    assert {wheel.name for wheel in packages} < files.keys()
    assert json.loads(files["meta.json"])["version"] == "2.0.0"
    assert "lstm_ner/weights_of_old" not in files
    assert {"picture.png", "notes/a.txt", ".gitattributes"} < files.keys()
    assert repo.messages[2:] == ["zh_people 1.0.0", "zh_people 2.0.0"]


def test_the_same_again_is_no_error(hub, packages):
    assert push(packages[0])[0] == 0
    before = hub.repos[REPO].files()
    assert push(packages[0])[0] == 0
    assert hub.repos[REPO].files() == before


def test_private(hub, packages):
    code, output = push(packages[0], REPO, "--private")
    assert code == 0, output
    assert hub.repos[REPO].private
    # pip has no token.
    assert f"hf download {REPO} {packages[0].name}" in output
    assert "pip install http" not in output
    # Again, without the option: it stays private.
    code, output = push(packages[0])
    assert code == 0 and "hf download" in output and hub.repos[REPO].private


def test_a_public_repository_is_not_taken_for_a_private_one(hub, packages):
    repo = hub.add_repo(REPO)
    code, output = push(packages[0], REPO, "--private")
    assert code == 1
    assert f"{REPO} exists and is public. Leave out --private" in output
    assert repo.files().keys() == {".gitattributes"}


def test_branch_and_message(hub, packages):
    repo = hub.add_repo(REPO)
    options = ("--branch", "candidate", "--message", "To be tried")
    code, output = push(packages[0], REPO, *options)
    assert code == 0, output
    assert repo.files().keys() == {".gitattributes"}
    assert packages[0].name in repo.files("candidate")
    assert repo.messages[-1] == "To be tried"
    assert f"/resolve/candidate/{packages[0].name}" in output
    assert f"{hub.url}/{REPO}/tree/candidate" in output


def test_a_dry_run_lists_the_files_and_sends_nothing(hub, packages, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    code, output = push(packages[0], REPO, "--dry-run")
    assert code == 0, output
    assert "README.md" in output and "lstm_ner/model" in output
    assert f"{packages[0].name} {packages[0].stat().st_size:,}" in output
    assert "Nothing was uploaded" in output and f"{hub.url}/{REPO}" in output
    assert hub.requests == []


def test_organizations(hub, packages):
    assert push(packages[0], "team/names")[0] == 0
    assert packages[0].name in hub.repos["team/names"].files()


# The card


def without_card(wheel, folder, card=None):
    """A copy of a wheel, without README.md or with another one."""
    new = folder / wheel.name
    with zipfile.ZipFile(wheel) as old, zipfile.ZipFile(new, "w") as archive:
        for info in old.infolist():
            if not info.filename.endswith("/README.md"):
                archive.writestr(info, old.read(info))
            elif card is not None:
                archive.writestr(info, card)
    return new


@pytest.mark.parametrize("card", [None, "| Feature | Description |\n"])
def test_without_a_card_it_is_made_of_meta_json(packages, tmp_path, card):
    """`spacy package` writes a README.md without metadata for hubs."""
    package = read_package(without_card(packages[0], tmp_path, card))
    assert package.card == read_package(packages[0]).card
    assert "license: mit" in package.card


def test_a_card_of_ones_own_is_kept(hub, packages, tmp_path):
    card = "---\nlanguage: zh\n---\n\nMy own words.\n"
    assert push(without_card(packages[0], tmp_path, card))[0] == 0
    assert hub.repos[REPO].files()["README.md"].decode() == card


def test_metadata_that_the_hub_refuses(hub, packages, tmp_path):
    card = "---\nlicense: mit\n---\n\nMy own words.\n"
    code, output = push(without_card(packages[0], tmp_path, card))
    assert code == 1 and '"language" missing' in output
    assert hub.repos[REPO].files().keys() == {".gitattributes"}


def test_no_license_is_a_warning(hub, packages, tmp_path):
    shutil.copytree(packages[0].parents[3] / "1.0.0", tmp_path / "model")
    meta = srsly.read_json(tmp_path / "model/meta.json")
    srsly.write_json(tmp_path / "model/meta.json", {**meta, "license": ""})
    wheel = package_pipeline(tmp_path / "model", tmp_path / "packages")
    code, output = push(wheel)
    assert code == 0 and "The pipeline has no license" in output


# Errors


@pytest.mark.parametrize(
    ("token", "repo", "says"),
    [
        (None, REPO, "There is no token for the hub: log in with `hf auth login`"),
        ("hf_old", REPO, "The token is not valid: log in again"),
        ("hf_reader", REPO, f"The token has no right to write to {REPO}"),
        ("hf_writer", "others/names", "has the role write for others"),
    ],
)
def test_rights(hub, packages, monkeypatch, token, repo, says):
    monkeypatch.delenv("HF_TOKEN")
    if token:
        monkeypatch.setenv("HF_TOKEN", token)
    code, output = push(packages[0], repo)
    assert code == 1 and says in output, output
    assert hub.repos == {}


def test_an_existing_repository_of_somebody_else(hub, packages):
    repo = hub.add_repo("others/names")
    code, output = push(packages[0], "others/names")
    assert code == 1 and "no right to write to others/names" in output
    assert len(repo.commits) == 1


@pytest.mark.parametrize("part", ["/large/", "/commit/", ".git/info/lfs"])
def test_nothing_is_half_uploaded(hub, packages, part):
    repo = hub.add_repo(REPO)
    hub.failures[part] = 403
    code, output = push(packages[0])
    assert code == 1 and f"{hub.url}/{REPO}: " in output
    assert f"The token has no right to write to {REPO}" in output
    assert repo.files().keys() == {".gitattributes"}
    hub.failures.clear()
    assert push(packages[0])[0] == 0


def test_a_commit_meanwhile(hub, packages):
    hub.add_repo(REPO)
    hub.failures["/commit/"] = 412
    code, output = push(packages[0])
    assert code == 1 and "Someone else has changed the repository meanwhile" in output


def test_files_that_the_repository_ignores(hub, packages):
    """The hub leaves out what .gitignore names, without an error."""
    repo = hub.add_repo(REPO)
    ignored = {**repo.files(), ".gitignore": packages[0].name.encode()}
    repo.commit("main", ignored, "ignore it")
    code, output = push(packages[0])
    assert code == 1
    assert f"does not have all files: {packages[0].name}" in output
    assert ".gitignore" in output


def test_no_connection(packages, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_TOKEN", "hf_writer")
    code, output = push(packages[0])
    assert code == 1 and "http://127.0.0.1:9/writer/zh_people: " in output
    assert "It cannot be reached. Push again later" in output


@pytest.mark.parametrize("repo", ["zh_people", "a/b/c", "a b/c", "writer/..", ""])
def test_names_of_repositories(hub, packages, repo):
    code, output = push(packages[0], repo)
    assert code == 1 and "give USER/NAME or ORGANIZATION/NAME" in output
    assert hub.requests == []


def test_wheels_that_cannot_be_used(hub, packages, tmp_path):
    wheel = packages[0]

    def error(path):
        code, output = push(path)
        assert code == 1 and hub.requests == []
        return output

    renamed = tmp_path / "zh_people-3.0.0-py3-none-any.whl"
    shutil.copy(wheel, renamed)
    assert "was renamed: it contains zh_people 1.0.0" in error(renamed)
    shutil.copy(wheel, tmp_path / "people.whl")
    assert "was renamed" in error(tmp_path / "people.whl")
    text = tmp_path / "a-1-py3-none-any.whl"
    text.write_text("not a wheel")
    assert "is no wheel" in error(text)
    with zipfile.ZipFile(text, "w") as archive:
        archive.writestr("a/__init__.py", "")
    assert "is no pipeline of spaCy" in error(text)
    assert "no such file" in error(tmp_path / "no.whl")
    message = error(wheel.parents[1])
    assert "is a folder: give the wheel" in message and str(wheel) in message


def test_a_pipeline_of_another_name_in_the_package(packages, tmp_path):
    wheel = packages[0]
    new = tmp_path / wheel.name
    with zipfile.ZipFile(wheel) as old, zipfile.ZipFile(new, "w") as archive:
        for info in old.infolist():
            data = old.read(info)
            if info.filename.endswith("meta.json"):
                data = data.replace(b"people", b"places")
            archive.writestr(info, data)
    with pytest.raises(ValueError, match=r"meta\.json is that of zh_places"):
        read_package(new)


def test_without_huggingface_hub(packages, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    code, output = push(packages[0])
    assert code == 1 and 'pip install "spacy-lstm-ner[hub]"' in output
