"""Model cards: what they say, the metadata for hubs, and meta.json."""

import json
import re

import pytest
import spacy
import srsly

from spacy_lstm_ner import evaluate
from spacy_lstm_ner.cli.score_output import write_scores
from spacy_lstm_ner.sharing.card import model_card, write_card

from ..helpers.commands import run_command
from ..helpers.paths import NESTED_SAMPLE
from ..helpers.pipelines import SMALL_MODEL

ABOUT = {
    "description": "Names in résumés.",
    "license": "Apache-2.0",
    "author": "Somebody",
    "data": [
        {
            "name": "Résumés",
            "url": "https://example.com/data",
            "license": "CC-BY-4.0",
            "author": "Another",
            "description": "Made up.",
        }
    ],
    "labels": {"NAME": "Name of a person"},
    "examples": ["王芳任教授。"],
    "evaluated_on": "sentences of résumés",
    "machine": "one core",
    "intended_use": "Trying things out.",
    "limits": ["It knows few names."],
    "citation": "@misc{somebody}",
}


@pytest.fixture(scope="module")
def model(held_out_folder, tmp_path_factory):
    """A pipeline with a card, made with all settings. Do not write to it."""
    folder = tmp_path_factory.mktemp("card")
    spacy.load(held_out_folder / "model").to_disk(folder / "model")
    scores = evaluate(folder / "model", held_out_folder / "data.spacy")
    write_scores(scores, folder / "scores.json")
    srsly.write_yaml(folder / "about.yml", ABOUT)
    code, output = run_command(
        *("card", folder / "model", "--scores", folder / "scores.json"),
        *("--about", folder / "about.yml", "--name", "people", "--version", "1.2.0"),
    )
    assert code == 0 and "README.md" in output, output
    return folder / "model"


def read(model):
    """The front matter and the text of a card."""
    card = (model / "README.md").read_text("utf8")
    _, front_matter, text = card.split("---\n", 2)
    return srsly.yaml_loads(front_matter), text


def test_metadata_for_hubs(model):
    metadata, _ = read(model)
    scores = json.loads((model.parent / "scores.json").read_text())
    assert metadata["language"] == ["zh"]
    assert metadata["license"] == "apache-2.0"
    assert metadata["library_name"] == "spacy"
    assert metadata["pipeline_tag"] == "token-classification"
    (index,) = metadata["model-index"]
    assert index["name"] == "zh_people"
    (result,) = index["results"]
    assert result["dataset"]["name"] == "sentences of résumés"
    found = {metric["type"]: metric["value"] for metric in result["metrics"]}
    assert found == {
        name: pytest.approx(scores[f"ents_{key}"], abs=1e-6)
        for name, key in (("precision", "p"), ("recall", "r"), ("f1", "f"))
    }


def test_all_that_was_given_is_in_the_card(model):
    _, text = read(model)
    assert "# zh_people\n" in text
    for words in (
        "Names in résumés.",
        "| Version | 1.2.0 |",
        "| License | Apache-2.0 |",
        "tokens per second on one core |",
        "pip install zh_people-1.2.0-py3-none-any.whl",
        'doc = nlp("王芳任教授。")',
        "## Intended use\n\nTrying things out.",
        "- It knows few names.",
        "| NAME | Name of a person |",
        "**Résumés**, Another (<https://example.com/data>).",
        "| [Résumés](https://example.com/data) | Another | CC-BY-4.0 |",
        "@misc{somebody}",
    ):
        assert words in text, words


def test_the_code_of_a_card_runs(model, monkeypatch, capsys):
    _, text = read(model)
    (code,) = re.findall(r"```python\n(.+?)```", text, re.DOTALL)
    monkeypatch.setattr(spacy, "load", lambda name: spacy.util.load_model(model))
    exec(code, {})
    ents = spacy.util.load_model(model)("王芳任教授。").ents
    expected = [f"{ent.text}/{ent.label_}" for ent in ents]
    assert expected and capsys.readouterr().out.split() == expected


def test_scores_have_intervals_and_no_more_digits_than_they_allow(model):
    _, text = read(model)
    scores = json.loads((model.parent / "scores.json").read_text())
    assert f": {scores['ents_intervals']['documents']} texts." in text
    (row,) = re.findall(r"^\| \*\*all\*\* \| (.+) \|$", text, re.MULTILINE)
    *prf, interval = row.split(" | ")
    assert re.fullmatch(r"\d+(\.\d)? to \d+(\.\d)?", interval)
    low, high = map(float, interval.split(" to "))
    assert low <= float(prf[2]) <= high
    table = text.partition("\n## Accuracy\n")[2]
    labels = re.findall(r"^\| (\w+) \| [\d.]+ \|", table, re.MULTILINE)
    assert labels == sorted(scores["ents_per_type"])


def test_entities_that_overlap(trained_nested, tmp_path, monkeypatch, capsys):
    """The card has the scores of the span group, and its code prints the group."""
    trained_nested.to_disk(tmp_path / "model")
    lines = NESTED_SAMPLE.read_text("utf8").splitlines(keepends=True)
    (tmp_path / "data.jsonl").write_text("".join(lines[50:90]), "utf8")
    scores = evaluate(tmp_path / "model", tmp_path / "data.jsonl")
    write_scores(scores, tmp_path / "scores.json")
    example = {"examples": ["北京大学教授王禾到中国（上海）自由贸易区调研。"]}
    write_card(tmp_path / "model", scores=tmp_path / "scores.json", about=example)
    metadata, text = read(tmp_path / "model")
    (result,) = metadata["model-index"][0]["results"]
    found = {metric["type"]: metric["value"] for metric in result["metrics"]}
    assert found["f1"] == pytest.approx(scores["spans_sc_f"], abs=1e-6)
    (row,) = re.findall(r"^\| \*\*all\*\* \| (.+) \|$", text, re.MULTILINE)
    assert " to " in row
    table = text.partition("\n## Accuracy\n")[2]
    labels = re.findall(r"^\| (\w+) \| [\d.]+ \|", table, re.MULTILINE)
    assert labels == sorted(scores["spans_sc_per_type"])
    (code,) = re.findall(r"```python\n(.+?)```", text, re.DOTALL)
    load = spacy.util.load_model
    monkeypatch.setattr(spacy, "load", lambda name: load(tmp_path / "model"))
    exec(code, {})
    doc = load(tmp_path / "model")(example["examples"][0])
    expected = [f"{span.text}/{span.label_}" for span in doc.spans["sc"]]
    assert expected and capsys.readouterr().out.split() == expected


def test_meta_json_says_the_same_and_the_pipeline_loads(model):
    meta = spacy.load(model).meta
    assert (meta["name"], meta["version"]) == ("people", "1.2.0")
    assert meta["license"] == "Apache-2.0"
    assert meta["performance"]["ents_intervals"]["documents"]
    assert any("spacy-lstm-ner>=" in each for each in meta["requirements"])
    assert meta["sources"] == [
        {
            "name": "Résumés",
            "url": "https://example.com/data",
            "license": "CC-BY-4.0",
            "author": "Another",
        }
    ]
    # So the card can be made again.
    assert model_card(meta) == (model / "README.md").read_text("utf8")


def test_a_second_card_keeps_what_is_not_given_again(model, tmp_path):
    spacy.load(model).to_disk(tmp_path / "model")
    path = write_card(tmp_path / "model", about={"limits": ["None."]}, version="2.0.0")
    text = path.read_text("utf8")
    assert "- None." in text and "few names" not in text
    assert "Version | 2.0.0" in text and "Trying things out." in text
    assert "95% bootstrap intervals" in text


def test_a_pipeline_as_spacy_train_leaves_it(trained, tmp_path):
    trained.to_disk(tmp_path)
    meta = json.loads((tmp_path / "meta.json").read_text("utf8"))
    meta["performance"] = {"ents_f": 0.5, "ents_p": 0.5, "ents_r": 0.5}
    srsly.write_json(tmp_path / "meta.json", meta)
    text = write_card(tmp_path).read_text("utf8")
    assert "on the development data, on which the best weights were chosen" in text
    assert "| **all** | 50.00 | 50.00 | 50.00 | - |" in text
    assert "license" not in text.split("---\n")[1]
    assert "None" not in text and "Undefined" not in text


def test_other_licenses_are_named(model):
    meta = {**spacy.load(model).meta, "license": "Only for my friends"}
    front_matter = srsly.yaml_loads(model_card(meta).split("---\n")[1])
    assert front_matter["license"] == "other"
    assert front_matter["license_name"] == "Only for my friends"


def test_hostile_names_stay_text():
    hostile = "A|B\n<script>alert(1)</script>[x](javascript:y)`c`"
    card = model_card(
        {
            "lang": "zh",
            "name": "x",
            "version": "1.0.0",
            "labels": {"lstm_ner": [hostile]},
            "performance": {
                "ents_f": 0.5,
                "ents_per_type": {hostile: {"p": 0.5, "r": 0.5, "f": 0.5}},
            },
            "author": hostile,
            "license": f"x: {hostile}",
            "requirements": [hostile],
            "model_card": {"labels": {hostile: hostile}, "examples": ['"\n`']},
        }
    )
    _, front_matter, text = card.split("---\n", 2)
    assert srsly.yaml_loads(front_matter)["license_name"] == f"x: {hostile}"
    assert not re.search(r"(?<!\\)<script", text)
    assert not re.search(r"(?<!\\)\[x", text)
    for line in text.splitlines():
        if "alert" in line:
            cells = re.split(r"(?<!\\)\|", line.strip("|"))
            assert len(cells) in (1, 2, 5), line
    (code,) = re.findall(r"^doc = nlp\((.+)\)$", text, re.MULTILINE)
    assert json.loads(code) == '"\n`'


def test_the_requirement_of_jieba_is_kept(examples, tmp_path):
    pytest.importorskip("jieba")
    nlp = spacy.blank("zh")
    model = {
        **SMALL_MODEL,
        "tok2vec": {
            **SMALL_MODEL["tok2vec"],
            "embed": {
                "@architectures": "spacy-lstm-ner.JiebaTaggerEmbed.v1",
                "width": 16,
                "parts": ["tags"],
                "dropout": 0.1,
                "embed": {
                    "@architectures": "spacy-lstm-ner.HashCharEmbed.v1",
                    "width": 16,
                    "rows": [500],
                    "ngram_dropout": 0.1,
                },
            },
        },
    }
    nlp.add_pipe("lstm_ner", config={"model": model})
    nlp.initialize(lambda: examples[:10])
    nlp.to_disk(tmp_path)
    about = {"data": [{"name": "mine", "license": "MIT"}]}
    text = write_card(tmp_path, about=about).read_text("utf8")
    assert "`jieba>=0.42,<0.43`" in text
    meta = spacy.load(tmp_path).meta
    assert "jieba>=0.42,<0.43" in meta["requirements"]
    assert {"mine"} < {source["name"] for source in meta["sources"]}


@pytest.mark.parametrize(
    ("about", "says"),
    [
        ("licence: MIT", "unknown setting 'licence'. Known are description, license"),
        ("limits: none", "limits has to be a list, not 'none'"),
        ("- MIT", "has to be a mapping of settings to values"),
        ("data: [{url: x}]", "an entry of data has to have a name"),
        ("data: [{name: x, year: 2020}]", "an entry of data has to have a name"),
        ("a: [", "is not YAML"),
    ],
)
def test_wrong_settings_leave_everything_unchanged(
    held_out_folder, tmp_path, about, says
):
    spacy.load(held_out_folder / "model").to_disk(tmp_path / "model")
    (tmp_path / "about.yml").write_text(about, "utf8")
    before = (tmp_path / "model/meta.json").read_bytes()
    code, output = run_command(
        "card", tmp_path / "model", "--about", tmp_path / "about.yml"
    )
    assert code == 1 and says in output, output
    assert "about.yml" in output
    assert (tmp_path / "model/meta.json").read_bytes() == before
    assert not (tmp_path / "model/README.md").exists()


def test_wrong_files(held_out_folder, tmp_path):
    (tmp_path / "scores.json").write_text('{"token_acc": 1.0}')
    model = held_out_folder / "model"
    code, output = run_command("card", model, "--scores", tmp_path / "scores.json")
    assert code == 1 and "lstm-ner evaluate --output" in output
    code, output = run_command("card", model, "--scores", tmp_path / "no.json")
    assert code == 1 and "no.json: no such file" in output
    code, output = run_command("card", tmp_path / "no")
    assert code == 1 and "Give the folder of a pipeline" in output
    assert not (model / "README.md").exists()
