"""The files for a public host: workflows whose commands exist, with pinned actions, and
metadata that agrees with setup.cfg.

The workflows cannot be run here; `zizmor` looks for what is insecure in them.
"""

import json
import re
import shutil
import subprocess
from configparser import RawConfigParser
from fnmatch import fnmatch
from urllib.parse import urlsplit

import pytest
import srsly

from .helpers.paths import REPOSITORY
from .helpers.sessions import SESSIONS, sessions_of

WORKFLOWS = {
    path.stem: path for path in (REPOSITORY / ".github" / "workflows").glob("*.yml")
}
PARSED = {name: srsly.read_yaml(path) for name, path in WORKFLOWS.items()}
SETUP = RawConfigParser()
SETUP.read(REPOSITORY / "setup.cfg", encoding="utf8")
PROJECT = srsly.read_yaml(REPOSITORY / "project.yml")
URLS = dict(
    re.split(r"\s*=\s*", line, maxsplit=1)
    for line in SETUP["metadata"]["project_urls"].strip().splitlines()
)


def jobs():
    for workflow in PARSED.values():
        yield from workflow["jobs"].values()


def steps():
    for job in jobs():
        yield from job.get("steps", [])


def commands():
    for step in steps():
        text = step.get("run", "").replace("\\\n", " ")
        yield from (line.strip() for line in text.splitlines() if line.strip())


def test_there_are_workflows_for_tests_distributions_release_and_documentation():
    assert WORKFLOWS.keys() == {"ci", "build", "release", "docs"}


@pytest.mark.parametrize("name", sorted(WORKFLOWS))
def test_actions_are_pinned_by_commit_with_their_version(name):
    """A tag can be moved; a commit cannot. Dependabot updates both."""
    lines = re.findall(r"uses: (.+)", WORKFLOWS[name].read_text("utf8"))
    assert lines
    for line in lines:
        if line.startswith("./"):
            assert (REPOSITORY / line).is_file(), line
        else:
            assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)


def test_an_action_has_one_version_in_all_workflows():
    text = "".join(path.read_text("utf8") for path in WORKFLOWS.values())
    uses = set(re.findall(r"uses: ([\w-]+/[\w-]+)@(.+)", text))
    assert len(uses) == len({name for name, _ in uses})
    config = srsly.read_yaml(REPOSITORY / ".github/dependabot.yml")
    (update,) = config["updates"]
    assert update["package-ecosystem"] == "github-actions"


@pytest.mark.parametrize("name", sorted(PARSED))
def test_rights_are_given_to_the_jobs_that_need_them(name):
    assert PARSED[name]["permissions"] == {"contents": "read"}
    given = {
        job_name: job["permissions"]
        for job_name, job in PARSED[name]["jobs"].items()
        if "permissions" in job
    }
    assert given == {
        "release": {
            "publish": {"id-token": "write"},
            "release": {"contents": "write"},
        },
        "docs": {"deploy": {"pages": "write", "id-token": "write"}},
    }.get(name, {})
    for step in steps():
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


def test_all_jobs_end():
    for job in jobs():
        assert "timeout-minutes" in job or "uses" in job


def test_commands_exist():
    """Each command of the workflows: scripts with their options, sessions of
    noxfile.py, commands of the project."""
    known = re.compile(
        r"pip install|python -m build$|twine check --strict|python -m spacy project|"
        r"nox --sessions|python3? scripts/|for step in|done$|cd files$|mv |sha256sum |"
        r"gh release create"
    )
    project = {command["name"] for command in PROJECT["commands"]}
    seen = set()
    for command in commands():
        assert known.match(command), command
        if command.startswith("nox") and "matrix" not in command:
            assert set(sessions_of(command)) <= SESSIONS
        if match := re.match(r"python3? (scripts/\w+\.py) ?(.*)", command):
            source = (REPOSITORY / match[1]).read_text("utf8")
            for option in re.findall(r"--([\w-]+)", match[2]):
                assert re.search(rf"\b{option}:|\"--{option}\"", source), command
            seen.add(match[1])
        if match := re.match(r"for step in (.+); do", command):
            assert set(match[1].split()) <= project
            seen.add("steps")
        for name in re.findall(r"--vars\.(\w+)", command):
            assert name in PROJECT["vars"]
        for extra in re.findall(r"\.\[(\w+)\]", command):
            assert SETUP.has_option("options.extras_require", extra)
    assert seen == {"scripts/check_distributions.py", "scripts/release.py", "steps"}


def test_the_release_has_all_steps_of_the_project_but_those_of_the_package():
    (line,) = (line for line in commands() if line.startswith("for step in"))
    expected = [
        step
        for step in PROJECT["workflows"]["release"]
        if step not in ("release-package", "release-sums")
    ]
    assert re.match(r"for step in (.+); do", line)[1].split() == expected


def test_what_is_published_is_what_was_built():
    uploads = {
        step["with"]["name"]
        for name in ("build", "release")
        for job in PARSED[name]["jobs"].values()
        for step in job.get("steps", [])
        if step.get("uses", "").startswith("actions/upload-artifact@")
    }
    publish = PARSED["release"]["jobs"]["publish"]
    download, action = publish["steps"]
    assert {name for name in uploads if fnmatch(name, download["with"]["pattern"])} == {
        "dist-wheels-${{ matrix.os }}",
        "dist-source",
    }
    # Trusted publishing: no password, signed attestations, an environment.
    assert action["uses"].startswith("pypa/gh-action-pypi-publish@")
    assert action["with"] == {"attestations": True}
    assert publish["environment"]["name"] == "pypi"
    assert PARSED["release"]["on"] == {"push": {"tags": ["v*"]}}
    assert PARSED["release"]["jobs"]["build"]["needs"] == "notes"


def test_wheels_are_built_for_all_versions():
    versions = re.findall(r":: 3\.(\d+)$", SETUP["metadata"]["classifiers"], re.M)
    config = (REPOSITORY / "pyproject.toml").read_text("utf8")
    (build,) = re.findall(r"^build = (\[.+\])$", config, re.MULTILINE)
    assert json.loads(build) == [f"cp3{version}-*" for version in versions]


def test_the_documentation_is_the_site():
    paths = [
        step["with"]["path"]
        for step in PARSED["docs"]["jobs"]["build"]["steps"]
        if "upload-pages-artifact" in step.get("uses", "")
    ]
    assert paths == ["site"]


# Metadata


def test_project_urls_and_classifiers():
    assert {"Source", "Issues", "Documentation", "Changelog"} <= URLS.keys()
    classifiers = SETUP["metadata"]["classifiers"].splitlines()
    assert {"Typing :: Typed", "Natural Language :: English"} <= set(classifiers)
    assert (REPOSITORY / "spacy_lstm_ner/py.typed").is_file()


def test_how_to_cite_it():
    cff = srsly.read_yaml(REPOSITORY / "CITATION.cff")
    version = SETUP["metadata"]["version"]
    assert cff["cff-version"] == "1.2.0" and cff["version"] == version
    assert cff["repository-code"] == URLS["Source"]
    assert cff["url"] == URLS["Documentation"]
    assert cff["authors"] == [{"name": SETUP["metadata"]["author"]}]
    assert cff["license"] == SETUP["metadata"]["license"]
    changelog = (REPOSITORY / "CHANGELOG.md").read_text("utf8")
    assert f"## [{version}] - {cff['date-released']}" in changelog


def test_security_policy():
    text = (REPOSITORY / "SECURITY.md").read_text("utf8")
    assert f"{URLS['Source']}/security/advisories/new" in text
    assert "## Supported versions" in text and "## Report a vulnerability" in text


def test_issue_templates():
    folder = REPOSITORY / ".github" / "ISSUE_TEMPLATE"
    bug = srsly.read_yaml(folder / "bug.yml")
    assert {"name", "description", "body"} <= bug.keys()
    assert "lstm-ner info" in json.dumps(bug)
    config = srsly.read_yaml(folder / "config.yml")
    for link in config["contact_links"]:
        assert link["url"].startswith((URLS["Source"], URLS["Documentation"]))


def test_the_entry_for_the_universe_of_spacy(capsys):
    entry = json.loads((REPOSITORY / ".github/universe.json").read_text("utf8"))
    # The format of website/UNIVERSE.md of spaCy.
    assert entry.keys() <= {
        *("id", "title", "slogan", "description", "github", "pip", "code_example"),
        *("code_language", "url", "thumb", "image", "author", "author_links"),
        *("category", "tags"),
    }
    assert entry["pip"] == SETUP["metadata"]["name"]
    assert entry["github"] == urlsplit(URLS["Source"]).path.strip("/")
    assert entry["author_links"].keys() <= {"twitter", "github", "website"}
    assert set(entry["category"]) <= {
        *("pipeline", "training", "conversational", "research", "scientific"),
        *("visualizers", "apis", "nonpython", "standalone", "models"),
    }
    for url in re.findall(r"/main/([\w./]+)", json.dumps(entry)):
        assert (REPOSITORY / url).is_file(), url
    exec("\n".join(entry["code_example"]), {})
    assert "北京大学 ORG 0." in capsys.readouterr().out


@pytest.mark.skipif(not shutil.which("zizmor"), reason="needs pip install zizmor")
def test_the_linter_of_workflows_finds_nothing():
    command = ["zizmor", "--offline", "--min-severity", "medium", ".github"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
