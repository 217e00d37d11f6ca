"""Results that notebooks display; the entities of documents."""

import spacy

from spacy_lstm_ner.inspect import render

from .helpers.pipelines import loaded_again


def test_entities_have_their_probabilities(trained, examples):
    doc = trained(examples[0].text)
    html = str(render(doc))
    assert html.count("<mark") == len(doc.ents)
    for score in doc.spans["lstm_ner"].attrs["scores"]:
        assert f'data-score="{score:.4f}"' in html


def test_threshold_and_several_documents(trained, examples):
    docs = list(trained.pipe(eg.text for eg in examples[:3]))
    assert str(render(docs)).count('<div class="text"') == 3
    assert str(render(docs, threshold=1.0)).count("<mark") < sum(
        len(doc.ents) for doc in docs
    )


def test_entities_without_probabilities_are_drawn(trained, examples):
    nlp = loaded_again(trained)
    nlp.get_pipe("lstm_ner").spans_key = None
    doc = nlp(examples[0].text)
    html = str(render(doc, threshold=0.9))
    assert html.count("<mark") == len(doc.ents) and "data-score" not in html
    assert str(render(spacy.blank("zh")("王芳"))).count("<mark") == 0


def test_notebooks_display_it_in_a_sandbox(trained):
    shown = render(trained("王芳"))._repr_html_()
    assert shown.startswith("<iframe") and 'sandbox="allow-scripts"' in shown
