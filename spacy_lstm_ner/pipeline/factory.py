"""The factories of the components `lstm_ner` and `lstm_nested_ner`."""

from collections.abc import Callable

from spacy.language import Language
from spacy.tokens import Doc
from thinc.api import Model
from thinc.types import Floats2d

from . import settings
from .annotating import SPANS_KEY
from .component import LSTMEntityRecognizer
from .default_model import (
    NESTED_NER,
    default_model,
    default_token_model,
    is_default,
    resolve_model,
)
from .nested_component import NESTED_SPANS_KEY, LSTMNestedEntityRecognizer


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


@Language.factory(
    "lstm_nested_ner",
    assigns=["doc.spans"],
    default_config={
        "model": default_model(NESTED_NER),
        "unit": "char",
        "scheme": "BIOES",
        "depth": 2,
        "spans_key": NESTED_SPANS_KEY,
        "ents": None,
        "overwrite": False,
        "alignment_mode": "expand",
        "threshold": 0.0,
        "label_thresholds": {},
        "incorrect_spans_key": None,
        "whole_brackets": True,
        "window": 2000,
        "scorer": {"@scorers": "spacy-lstm-ner.nested_ner_scorer.v1"},
    },
    default_score_weights={
        f"spans_{NESTED_SPANS_KEY}_f": 1.0,
        f"spans_{NESTED_SPANS_KEY}_p": 0.0,
        f"spans_{NESTED_SPANS_KEY}_r": 0.0,
        f"spans_{NESTED_SPANS_KEY}_per_type": None,
    },
)
def make_lstm_nested_ner(
    nlp: Language,
    name: str,
    model: Model[list[Doc], list[Floats2d]],
    unit: str,
    scheme: str,
    depth: int,
    spans_key: str,
    ents: str | None,
    overwrite: bool,
    alignment_mode: str,
    threshold: float,
    label_thresholds: dict[str, float],
    incorrect_spans_key: str | None,
    whole_brackets: bool,
    window: int | None,
    scorer: Callable | None,
) -> LSTMNestedEntityRecognizer:
    """Build the component from its settings, see `LSTMNestedEntityRecognizer`. With
    ``unit = "token"`` the default model is replaced, see `make_lstm_ner`."""
    is_replaced = unit == "token" and is_default(model, NESTED_NER)
    if is_replaced:
        model = resolve_model(default_token_model(NESTED_NER))
    component = LSTMNestedEntityRecognizer(
        nlp.vocab,
        model,
        name,
        unit=unit,
        scheme=scheme,
        depth=depth,
        spans_key=spans_key,
        ents=ents,
        overwrite=overwrite,
        alignment_mode=alignment_mode,
        threshold=threshold,
        label_thresholds=label_thresholds,
        incorrect_spans_key=incorrect_spans_key,
        whole_brackets=whole_brackets,
        window=window,
        scorer=scorer,
    )
    component.has_default_token_model = is_replaced
    settings.set_pipeline(component, nlp)
    return component
