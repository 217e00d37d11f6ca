"""The corpus reader for gold data together with silver data, which a teacher has
annotated; and the weights of examples."""

from collections.abc import Callable, Iterator
from math import isfinite
from pathlib import Path

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Corpus, Example

from ..exceptions import DataError

# The key of `Doc.user_data` with the weight of an example.
_WEIGHT = "spacy_lstm_ner.weight"


def set_weight(doc: Doc, weight: float) -> None:
    """Set the weight of an example in training.

    doc: The reference Doc of the example.
    weight: By which its loss is multiplied.
    """
    doc.user_data[_WEIGHT] = weight


def get_weight(doc: Doc) -> float:
    """The weight of an example, by its reference Doc: 1, unless another one is set."""
    weight: float = doc.user_data.get(_WEIGHT, 1.0)
    return weight


class GoldAndSilver:
    """Read gold data, and silver data with a weight: the reader
    `spacy-lstm-ner.GoldAndSilver.v1`, for the section ``[corpora.train]`` of a config.
    It has all settings of `spacy.Corpus.v1`, and so can take its place.

    `spacy train` shuffles the examples of both in each epoch, unless it streams them
    (``max_epochs = -1``): then the gold data comes first.
    """

    def __init__(
        self,
        path: Path | None,
        *,
        silver: Path | None,
        silver_weight: float = 1.0,
        gold_preproc: bool = False,
        max_length: int = 0,
        limit: int = 0,
        augmenter: Callable | None = None,
    ):
        """
        path: The gold data, a .spacy file or a folder of them.
        silver: The silver data, a .spacy file or a folder of them.
        silver_weight: By which the loss of silver examples is multiplied, for the
            components `lstm_ner`; other components ignore it. 0: they are not read.
        gold_preproc: See `spacy.Corpus.v1`, as for all that follow. Only gold data is
            changed by them.
        max_length: Split longer documents into sentences. 0: do not.
        limit: Read only the first `limit` documents. 0: all.
        augmenter: Changes examples.
        RAISES (DataError): If a path is not set, or the weight is not valid.
        """
        if path is None or silver is None:
            missing = "path" if path is None else "silver"
            raise DataError(
                f"The setting {missing!r} of the corpus is not set. Set it in the "
                f"config, or on the command line."
            )
        is_number = isinstance(silver_weight, int | float)
        if not is_number or not isfinite(silver_weight) or silver_weight < 0:
            raise DataError(
                f"silver_weight = {silver_weight!r} is not a number, 0 or more"
            )
        self._gold = Corpus(
            path,
            gold_preproc=gold_preproc,
            max_length=max_length,
            limit=limit,
            augmenter=augmenter,
        )
        self._silver = Corpus(silver)
        self._silver_weight = silver_weight

    def __call__(self, nlp: Language) -> Iterator[Example]:
        """Read the data once.

        nlp: The pipeline to train.
        YIELDS: The examples, gold ones first.
        """
        yield from self._gold(nlp)
        if self._silver_weight:
            for example in self._silver(nlp):
                set_weight(example.reference, self._silver_weight)
                yield example
