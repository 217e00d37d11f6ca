"""The factory of the component `lstm_ner`."""

from collections.abc import Callable

from spacy.language import Language
from spacy.tokens import Doc
from thinc.api import Model
from thinc.types import Floats2d

from . import settings
from .annotating import SPANS_KEY
from .component import LSTMEntityRecognizer
from .default_model import (
    default_model,
    default_token_model,
    is_default,
    resolve_model,
)


@Language.factory(
    "lstm_ner",
    assigns=["doc.ents", "doc.spans", "token.ent_iob", "token.ent_type"],
    default_config={
        "model": default_model(),
        "unit": "char",
        "scheme": "BIOES",
        "alignment_mode": "expand",
        "overwrite": False,
        "spans_key": SPANS_KEY,
        "threshold": 0.0,
        "incorrect_spans_key": None,
        "whole_brackets": True,
        "window": 2000,
        "scorer": {"@scorers": "spacy-lstm-ner.ner_scorer.v1"},
    },
    default_score_weights={
        "ents_f": 1.0,
        "ents_p": 0.0,
        "ents_r": 0.0,
        "ents_per_type": None,
        "bio_acc": None,
        "bio_macro_p": None,
        "bio_macro_r": None,
        "bio_macro_f": None,
    },
)
def make_lstm_ner(
    nlp: Language,
    name: str,
    model: Model[list[Doc], list[Floats2d]],
    unit: str,
    scheme: str,
    alignment_mode: str,
    overwrite: bool,
    spans_key: str | None,
    threshold: float,
    incorrect_spans_key: str | None,
    whole_brackets: bool,
    window: int | None,
    scorer: Callable | None,
) -> LSTMEntityRecognizer:
    """Build the component from its settings, see `LSTMEntityRecognizer`.

    With ``unit = "token"`` the default model, which reads characters, is replaced by
    one that reads tokens: spaCy's `MultiHashEmbed` and the same LSTM.
    """
    is_replaced = unit == "token" and is_default(model)
    if is_replaced:
        model = resolve_model(default_token_model())
    component = LSTMEntityRecognizer(
        nlp.vocab,
        model,
        name,
        unit=unit,
        scheme=scheme,
        alignment_mode=alignment_mode,
        overwrite=overwrite,
        spans_key=spans_key,
        threshold=threshold,
        incorrect_spans_key=incorrect_spans_key,
        whole_brackets=whole_brackets,
        window=window,
        scorer=scorer,
    )
    component.has_default_token_model = is_replaced
    settings.set_pipeline(component, nlp)
    return component
