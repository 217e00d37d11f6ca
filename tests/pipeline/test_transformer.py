"""`lstm_ner` on a transformer: the config `transformer`, with a tiny random BERT."""

import json
import os
import pickle
import re
import runpy
import shutil
import subprocess
import sys

import numpy as np
import pytest
import spacy
from spacy import registry
from spacy.cli.package import package
from spacy.tokens import Doc, DocBin
from spacy.training import Example
from spacy.training.initialize import init_nlp
from spacy.training.loop import train
from spacy.util import load_config, load_model_from_config

from spacy_lstm_ner import inspect, predict
from spacy_lstm_ner.model.transformer import strided_characters

from ..helpers.paths import REPOSITORY
from ..helpers.pipelines import copy_of, found
from ..helpers.requests import entities
from ..helpers.service import needs_server, serving
from ..helpers.transformers import MAX_LENGTH, save_tiny_bert, transformer_config

pytest.importorskip("spacy_transformers")
torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

EMBED = "components__lstm_ner__model__tok2vec__embed"
SPANS = "components__transformer__model__get_spans"
FROZEN = {
    "training__frozen_components": ["transformer"],
    "training__annotating_components": ["transformer"],
}
# Numbers and Latin words, which are one word piece or several; blanks of all kinds,
# which are none; characters that the vocabulary lacks, and those that BERT drops.
MIXED = "陈烁2008年 生  于abcdef，\u3000籍\n\t中\u200b国\ue000人！𠮷 20082008 abc"


@pytest.fixture(scope="module")
def tiny(examples, tmp_path_factory):
    """The folder of the transformer."""
    folder = tmp_path_factory.mktemp("tiny")
    return save_tiny_bert(folder, [eg.text for eg in examples])


@pytest.fixture(scope="module")
def corpus(examples, tmp_path_factory):
    """The paths of the config, which is trained and evaluated on the same data."""
    path = tmp_path_factory.mktemp("corpus") / "train.spacy"
    DocBin(docs=[eg.reference for eg in examples]).to_disk(path)
    return {"paths__train": str(path), "paths__dev": str(path)}


@pytest.fixture(scope="module")
def fresh(tiny, corpus):
    """A pipeline that is initialized, but not trained."""
    return init_nlp(transformer_config(tiny, **corpus))


def train_on(config, folder):
    """Train a pipeline as `spacy train` does, and load it again."""
    nlp = init_nlp(config)
    before = weights(nlp)
    with open(os.devnull, "w") as nothing:
        train(nlp, folder, stdout=nothing)
    return spacy.load(folder / "model-last"), before


@pytest.fixture(scope="module")
def trained(tiny, corpus, tmp_path_factory):
    """A trained pipeline, and the weights that its transformer had before. Do not
    change it."""
    config = transformer_config(tiny, **corpus)
    return train_on(config, tmp_path_factory.mktemp("trained"))


@pytest.fixture(scope="module")
def folder(trained, tmp_path_factory):
    """The pipeline as a folder."""
    folder = tmp_path_factory.mktemp("model") / "model"
    trained[0].to_disk(folder)
    return folder


def bert(nlp):
    """The PyTorch module and the tokenizer."""
    model = nlp.get_pipe("transformer").model
    return model.transformer, model.tokenizer


def weights(nlp):
    return {
        name: param.detach().numpy().copy()
        for name, param in bert(nlp)[0].named_parameters()
    }


def embedding(nlp):
    return nlp.get_pipe("lstm_ner").model.get_ref("tok2vec").get_ref("embed")


def reference(nlp, text, window, stride):
    """(characters, width) as a tensor: the mean of all pieces that contain a character,
    of one window after the other, by the offsets of the tokenizer."""
    module, tokenizer = bert(nlp)
    vectors = [[] for _ in text]
    for start in range(0, len(text), stride):
        part = text[start : start + window]
        encoded = tokenizer(
            part, return_offsets_mapping=True, return_tensors="pt", truncation=False
        )
        offsets = encoded.pop("offset_mapping")[0].tolist()
        for row, (first, end) in zip(
            module(**encoded).last_hidden_state[0], offsets, strict=True
        ):
            for i in range(first, end):
                vectors[start + i].append(row)
        if start + window >= len(text):
            break
    zeros = torch.zeros(module.config.hidden_size)
    return torch.stack([torch.stack(v).mean(0) if v else zeros for v in vectors])


def docs_of(nlp, text):
    """The text in tokens of one character, of words, and in one token."""
    yield nlp.make_doc(text)
    yield spacy.blank("en").make_doc(text)
    yield Doc(nlp.vocab, words=[text], spaces=[False])


# Vectors


@pytest.mark.parametrize("text", [MIXED, MIXED * 12, " \n", "王"], ids=len)
def test_vectors_are_those_of_the_word_pieces_that_cover_a_character(fresh, text):
    with torch.no_grad():
        expected = reference(fresh, text, 128, 96).numpy()
    transformer = fresh.get_pipe("transformer")
    for doc in docs_of(fresh, text):
        assert doc.text == text
        (vectors,) = embedding(fresh).predict([transformer(doc)])
        np.testing.assert_allclose(vectors, expected, atol=1e-5)
    for char, row in zip(text, expected, strict=True):
        # Zeros for what has no word piece, and for nothing else.
        assert row.any() == (not char.isspace() and char not in "\u200b\ue000")


def test_characters_of_one_word_piece_share_its_vector(fresh):
    doc = fresh.get_pipe("transformer")(fresh.make_doc("于2008年"))
    (vectors,) = embedding(fresh).predict([doc])
    np.testing.assert_array_equal(vectors[1:5], vectors[[1]].repeat(4, axis=0))
    assert not np.allclose(vectors[0], vectors[1])


def test_gradients_are_those_of_pytorch(fresh):
    """With empty texts between the others, and windows that overlap."""
    texts = ["", MIXED, "陈烁", "", MIXED * 8, ""]
    examples = [Example(doc, doc) for doc in map(fresh.make_doc, texts)]
    rng = np.random.default_rng(0)
    d_vectors = [rng.standard_normal((len(t), 32)).astype("float32") for t in texts]
    module = bert(fresh)[0]
    loss = sum(
        (reference(fresh, text, 128, 96) * torch.tensor(d)).sum()
        for text, d in zip(texts, d_vectors, strict=True)
        if text
    )
    expected = torch.autograd.grad(loss, list(module.parameters()), allow_unused=True)

    fresh.get_pipe("transformer").update(examples)
    vectors, backprop = embedding(fresh)([eg.predicted for eg in examples], True)
    assert [array.shape for array in vectors] == [d.shape for d in d_vectors]
    backprop(d_vectors)
    for (name, param), gradient in zip(
        module.named_parameters(), expected, strict=True
    ):
        if gradient is None:
            assert param.grad is None or not param.grad.any()  # the pooler
            continue
        scale = float(gradient.abs().max())
        np.testing.assert_allclose(
            param.grad, gradient, atol=1e-4 * scale + 1e-5, err_msg=name
        )
    module.zero_grad()


@pytest.mark.parametrize("window,stride", [(5, 5), (5, 3), (5, 1), (128, 96)])
@pytest.mark.parametrize("length", [0, 1, 4, 5, 6, 10, 11, 300])
def test_windows_cover_all_characters(window, stride, length):
    words = ["x" * length] if length else []
    doc = Doc(spacy.blank("zh").vocab, words=words, spaces=[False] * len(words))
    (spans,) = strided_characters(window, stride)([doc])
    assert [s.start for s in spans] == [i * stride for i in range(len(spans))]
    assert {i for s in spans for i in range(s.start, s.end)} == {*range(length)}
    assert all(len(s) <= window for s in spans)
    # None is part of the one before it.
    assert all(s.end < length for s in spans[:-1])


@pytest.mark.parametrize("window,stride", [(5, 6), (5, 0), (0, 0)])
def test_windows_that_leave_characters_out(window, stride):
    with pytest.raises(ValueError, match=f"window = {window} and stride = {stride}"):
        strided_characters(window, stride)


# Training, saving, packaging


def test_it_learns_with_the_transformer(trained, examples):
    nlp, before = trained
    assert nlp.evaluate([copy_of(nlp, eg) for eg in examples])["ents_f"] > 0.9
    changed = [
        name for name, value in weights(nlp).items() if (value != before[name]).any()
    ]
    assert {name for name in before if "pooler" not in name} == {*changed}


def test_it_learns_on_a_frozen_transformer(tiny, corpus, examples, tmp_path):
    from transformers import BertModel

    config = transformer_config(tiny, **corpus, **FROZEN, training__max_steps=100)
    nlp, before = train_on(config, tmp_path)
    assert nlp.evaluate([copy_of(nlp, eg) for eg in examples])["ents_f"] > 0.8
    for name, value in weights(nlp).items():
        np.testing.assert_array_equal(value, before[name])
    # Those of the folder, and not random ones.
    loaded = BertModel.from_pretrained(tiny)
    for name, param in loaded.named_parameters():
        np.testing.assert_array_equal(param.detach().numpy(), before[name])


def test_new_layers_learn_faster_than_the_transformer(tiny, corpus):
    config = transformer_config(tiny, **corpus)
    optimizer = registry.resolve({"o": config["training"]["optimizer"]})["o"]
    optimizer.learn_rate, optimizer.L2 = 0.001, 0.0
    for name, rate in (("layer.0.weight", 0.001), ("W", 0.02)):
        array = np.zeros((1, 2), "float32")
        array, _ = optimizer((1, name), array, np.ones((1, 2), "float32"))
        np.testing.assert_allclose(array, -rate, rtol=1e-3)


@pytest.mark.parametrize(
    "name,value,message",
    [
        ("use_averages", True, "use_averages has to be false"),
        ("head_factor", 0, "above 0"),
    ],
)
def test_settings_of_the_optimizer(tiny, name, value, message):
    config = transformer_config(tiny, **{f"training__optimizer__{name}": value})
    with pytest.raises(ValueError, match=message):
        registry.resolve({"o": config["training"]["optimizer"]})


def test_bytes_pickle_and_processes(trained, examples):
    nlp = trained[0]
    texts = [eg.text for eg in examples[:8]]
    expected = [found(doc) for doc in nlp.pipe(texts)]
    assert any(expected)
    copies = [
        spacy.blank("zh").from_config(nlp.config).from_bytes(nlp.to_bytes()),
        pickle.loads(pickle.dumps(nlp)),
    ]
    for copy in copies:
        assert [found(doc) for doc in copy.pipe(texts)] == expected
    # As in the guide: a process that is forked waits for threads of PyTorch, which it
    # does not have.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        in_processes = nlp.pipe(texts, n_process=2, batch_size=4)
        assert [found(doc) for doc in in_processes] == expected
    finally:
        torch.set_num_threads(threads)


def test_a_package_needs_no_transformer_but_its_own(
    trained, folder, examples, tmp_path
):
    """In a new process without the hub, and without the folder of the transformer."""
    package(folder, tmp_path, name="tiny", create_sdist=False, silent=True)
    (place,) = tmp_path.glob("zh_tiny-*")
    shutil.copy(place / "meta.json", place / "zh_tiny")  # as its setup.py does
    requirements = json.loads((place / "meta.json").read_text())["requirements"]
    assert any(line.startswith("spacy-transformers>=") for line in requirements)
    config = load_config(next(place.glob("zh_tiny/zh_tiny-*")) / "config.cfg")
    code = (
        "import sys, zh_tiny; nlp = zh_tiny.load();"
        "print([(e.start_char, e.end_char, e.label_) for e in nlp(sys.argv[1]).ents])"
    )
    tiny = config["paths"]["transformer"]
    os.rename(tiny, tiny + "-away")
    try:
        result = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code, examples[0].text],
            env={**os.environ, "PYTHONPATH": str(place), "HF_HUB_OFFLINE": "1"},
            capture_output=True,
            text=True,
        )
    finally:
        os.rename(tiny + "-away", tiny)
    assert result.stdout.strip() == str(found(trained[0](examples[0].text))), result


def test_a_listener_can_be_replaced(folder, examples, tmp_path):
    """Then the component has a transformer of its own, and can be rehearsed."""
    nlp = spacy.load(folder)
    expected = found(nlp(examples[0].text))
    nlp.replace_listeners(
        "transformer", "lstm_ner", ["model.tok2vec.embed.transformer"]
    )
    nlp.remove_pipe("transformer")
    nlp.to_disk(tmp_path)
    for pipeline in (nlp, spacy.load(tmp_path)):
        assert found(pipeline(examples[0].text)) == expected
    optimizer = nlp.resume_training()
    losses = nlp.rehearse([copy_of(nlp, eg) for eg in examples[:4]], sgd=optimizer)
    assert 0 <= losses["lstm_ner"] < 1


# Long documents


@pytest.mark.parametrize("tokens", ["characters", "one"])
def test_long_documents(folder, examples, tokens):
    """All vectors are computed before the document is split into windows."""
    nlp = spacy.load(folder)
    ner = nlp.get_pipe("lstm_ner")
    text = "".join(eg.text for eg in examples) * 2
    assert len(text) > 4000
    doc = nlp.make_doc(text)
    if tokens == "one":
        doc = Doc(nlp.vocab, words=[text], spaces=[False])
    doc = nlp.get_pipe("transformer")(doc)
    with torch.no_grad():
        expected = reference(nlp, text, 128, 96).numpy()
    (vectors,) = embedding(nlp).predict([doc])
    np.testing.assert_allclose(vectors, expected, atol=1e-4)
    ents = {}
    for ner.window in (2000, 500, None):
        (ents[ner.window],) = ner.predict([doc])
    assert len(ents[None]) > 300
    for window in (2000, 500) if tokens == "characters" else ():
        assert [s[:3] for s in ents[window]] == [s[:3] for s in ents[None]]
        np.testing.assert_allclose(
            [s.score for s in ents[window]], [s.score for s in ents[None]], atol=1e-3
        )


def test_long_texts_without_blanks_in_any_tokenizer(trained, examples):
    """A transformer reads so many characters at once, and not so many tokens."""
    nlp = trained[0]
    text = "".join(eg.text for eg in examples).replace(" ", "") * 3
    text = text[:5000]
    transformer, ner = nlp.get_pipe("transformer"), nlp.get_pipe("lstm_ner")
    docs = [spacy.blank(lang).make_doc(text) for lang in ("zh", "xx", "en")]
    assert len(docs[0]) == 5000 > len(docs[1])
    found = [[s[:3] for s in ner.predict([transformer(doc)])[0]] for doc in docs]
    assert len(found[0]) > 100
    assert found[0] == found[1] == found[2]


def test_word_pieces_that_are_cut_off_are_an_error(folder, examples):
    spans = {"window": 2 * MAX_LENGTH, "stride": 2 * MAX_LENGTH}
    transformer = {"model": {"get_spans": spans}}
    nlp = spacy.load(folder, config={"components": {"transformer": transformer}})
    text = "".join(eg.text for eg in examples)[:1000]
    with pytest.raises(ValueError, match=r"no vector for .* Set a smaller window"):
        nlp(text)


# Errors


def test_a_document_that_the_transformer_has_not_read(trained, examples):
    nlp = trained[0]
    ner, doc = nlp.get_pipe("lstm_ner"), nlp.make_doc(examples[0].text)
    message = r"listens to a component transformer.*doc\._\.trf_data.*before lstm_ner"
    with nlp.select_pipes(disable="transformer"):
        with pytest.raises(ValueError, match=message):
            nlp(examples[0].text)
        assert nlp("").text == ""
    for call in (
        lambda: ner.predict([doc]),
        lambda: ner.n_best([doc], 2),
        lambda: ner.uncertainty([doc]),
        lambda: ner.probabilities([doc], [[(0, 1, "NAME")]]),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_a_folder_without_a_transformer(corpus, tmp_path):
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(ValueError, match=r"cannot be loaded\. Set paths\.transf"):
            init_nlp(transformer_config(folder, **corpus))


def test_a_pipeline_without_a_transformer(tiny, corpus):
    config = transformer_config(tiny, **corpus, nlp__pipeline=["lstm_ner"])
    del config["components"]["transformer"]
    with pytest.raises(ValueError, match="there is none before it"):
        init_nlp(config)


def test_a_transformer_that_reads_tokens(tiny, corpus):
    spans = {"@span_getters": "spacy-transformers.strided_spans.v1"}
    config = transformer_config(tiny, **corpus)
    config["components"]["transformer"]["model"]["get_spans"].update(spans)
    nlp = init_nlp(config)
    # The same where each token is a character.
    assert nlp("王芳") is not None
    with pytest.raises(
        ValueError, match=r"each of 4 characters, but .* gives 3.*strided_c"
    ):
        nlp("王芳 任")


def test_what_goes_with_characters_only(tiny, corpus):
    config = transformer_config(tiny, components__lstm_ner__unit="token")
    with pytest.raises(ValueError, match='unit = "token" is incompatible'):
        load_model_from_config(config)
    steps = {"initialize__components__lstm_ner__pretrain_steps": 10}
    with pytest.raises(ValueError, match="pretrain"):
        init_nlp(transformer_config(tiny, **corpus, **steps))


def test_the_cost_is_measured(corpus, tmp_path, monkeypatch, capsys):
    shutil.copy(corpus["paths__train"], tmp_path / "train.spacy")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # the script sets both
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    sizes = "--layers 1 --width 64 --steps 1 --texts 10 --length 300 --frozen"
    monkeypatch.setattr(sys, "argv", ["measure", str(tmp_path), *sizes.split()])
    script = REPOSITORY / "scripts" / "measure_transformer.py"
    runpy.run_path(str(script), run_name="__main__")
    output = capsys.readouterr().out
    assert re.search(r"\d+ characters a second in nlp\.pipe", output)
    assert re.search(r"\d h for 3000 steps", output)


# Explanations


def test_texts_without_characters(trained, examples):
    texts = ["", examples[0].text, " ", "\n\u3000", ""]
    counts = [len(doc.ents) for doc in trained[0].pipe(texts)]
    assert counts[1] > 0 and sum(counts) == counts[1]


def test_commands_and_the_server(folder, examples, tmp_path):
    """Those that load the pipeline in other threads or processes."""
    needs_server()
    nlp = spacy.load(folder)
    texts = [eg.text for eg in examples[:6]]
    expected = [found(doc) for doc in nlp.pipe(texts)]
    with serving(lambda: spacy.load(folder)) as server:
        answers = entities(server, *texts, "")
    by_server = [[(e["start"], e["end"], e["label"]) for e in some] for some in answers]
    assert by_server == [*expected, []]
    (tmp_path / "texts.txt").write_text("\n".join(texts), "utf8")
    predict(folder, tmp_path / "texts.txt", tmp_path / "out.jsonl", n_process=2)
    lines = (tmp_path / "out.jsonl").read_text("utf8").splitlines()
    by_command = [
        [(e["start"], e["end"], e["label"]) for e in json.loads(line)["entities"]]
        for line in lines
    ]
    assert by_command == expected
    examples = [copy_of(nlp, eg) for eg in examples]
    ready = [Example(nlp.get_pipe("transformer")(e.x), e.y) for e in examples]
    assert nlp.get_pipe("lstm_ner").calibrate(ready) > 0


def test_gates_and_attribution(trained, examples):
    nlp, text = trained[0], examples[0].text[:20]
    gates = inspect.open_gates(nlp, text)
    assert gates.layers[0].hidden.shape == (2, len(text), 32)
    explanation = inspect.explain(nlp, text)
    assert explanation.entities
    for attribution in explanation.entities:
        start, end = attribution.entity[:2]
        assert attribution.contributions[start:end].max() > 0
    ranked = inspect.rank_units(nlp, [nlp(text)])
    assert all(ranked.values())
