"""Named-entity recognition with a readable LSTM, inside spaCy.

The names in `__all__` are the public API. They are loaded when they are first used, so
that ``import spacy_lstm_ner`` takes no time. Also public are the modules
`spacy_lstm_ner.layers`, `spacy_lstm_ner.inspect` and `spacy_lstm_ner.exceptions` with
the names in their `__all__`, the registered names and settings in configs, and the
commands ``python -m spacy lstm-ner``. Everything else is private, and may change in any
release.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    # For type checkers and documentation tools: the same names as in `_MODULES`.
    from .data.check import CheckResult as CheckResult
    from .data.check import Finding as Finding
    from .data.check import check as check
    from .data.convert import Conversion as Conversion
    from .data.convert import convert as convert
    from .data.corpus import BIOCorpus as BIOCorpus
    from .data.options import ReadingOptions as ReadingOptions
    from .data.summary import FileSummary as FileSummary
    from .data.writers import Export as Export
    from .evaluation.calibrate import Calibration as Calibration
    from .evaluation.calibrate import calibrate as calibrate
    from .evaluation.compare import Comparison as Comparison
    from .evaluation.compare import compare as compare
    from .evaluation.error_analysis import ErrorAnalysis as ErrorAnalysis
    from .evaluation.error_analysis import find_errors as find_errors
    from .evaluation.evaluate import evaluate as evaluate
    from .evaluation.export import export as export
    from .evaluation.label_issues import LabelIssue as LabelIssue
    from .evaluation.matching import EntityError as EntityError
    from .evaluation.pick import Picking as Picking
    from .evaluation.pick import pick as pick
    from .evaluation.uncertainty_sampling import Pick as Pick
    from .evaluation.uncertainty_sampling import pick_texts as pick_texts
    from .exceptions import DamagedComponent as DamagedComponent
    from .exceptions import DataError as DataError
    from .exceptions import NotCalibrated as NotCalibrated
    from .exceptions import PartlyWrittenError as PartlyWrittenError
    from .inspect import EntityAttribution as EntityAttribution
    from .inspect import Explanation as Explanation
    from .inspect import Gates as Gates
    from .inspect import RankedUnit as RankedUnit
    from .inspect import explain as explain
    from .inspect import open_gates as open_gates
    from .inspect import rank_units as rank_units
    from .inspect import render as render
    from .layers import CRF as CRF
    from .layers import LSTM as LSTM
    from .layers import RNN as RNN
    from .layers import CharEmbed as CharEmbed
    from .layers import HashCharEmbed as HashCharEmbed
    from .layers import JiebaTaggerEmbed as JiebaTaggerEmbed
    from .layers import LabelCRFs as LabelCRFs
    from .layers import LexiconEmbed as LexiconEmbed
    from .layers import LSTMCell as LSTMCell
    from .layers import RNNCell as RNNCell
    from .layers import TorchLSTM as TorchLSTM
    from .layers import WordTableEmbed as WordTableEmbed
    from .pages.report_page import write_report as write_report
    from .pipeline import Analysis as Analysis
    from .pipeline import Decoding as Decoding
    from .pipeline import LSTMEntityRecognizer as LSTMEntityRecognizer
    from .pipeline import LSTMNestedEntityRecognizer as LSTMNestedEntityRecognizer
    from .pipeline import Uncertainty as Uncertainty
    from .pipeline.annotating import entity_scores as entity_scores
    from .prediction import EntityPredictor as EntityPredictor
    from .prediction.distill import Distillation as Distillation
    from .prediction.distill import distill as distill
    from .prediction.predict import predict as predict
    from .prediction.predictor import Prediction as Prediction
    from .prediction.run import PredictionRun as PredictionRun
    from .tags import ScoredSpan as ScoredSpan
    from .tags import Span as Span

    __version__: str

#: The module that each name is loaded from.
_MODULES = {
    # The component and its results
    "LSTMEntityRecognizer": "pipeline",
    "LSTMNestedEntityRecognizer": "pipeline",
    "Analysis": "pipeline",
    "Decoding": "pipeline",
    "Uncertainty": "pipeline",
    "Span": "tags",
    "ScoredSpan": "tags",
    "entity_scores": "pipeline.annotating",
    # Data
    "convert": "data.convert",
    "Conversion": "data.convert",
    "ReadingOptions": "data.options",
    "FileSummary": "data.summary",
    "BIOCorpus": "data.corpus",
    "export": "evaluation.export",
    "Export": "data.writers",
    "check": "data.check",
    "CheckResult": "data.check",
    "Finding": "data.check",
    # Prediction
    "predict": "prediction.predict",
    "PredictionRun": "prediction.run",
    "EntityPredictor": "prediction",
    "Prediction": "prediction.predictor",
    "distill": "prediction.distill",
    "Distillation": "prediction.distill",
    # Evaluation
    "evaluate": "evaluation.evaluate",
    "compare": "evaluation.compare",
    "Comparison": "evaluation.compare",
    "calibrate": "evaluation.calibrate",
    "Calibration": "evaluation.calibrate",
    "find_errors": "evaluation.error_analysis",
    "ErrorAnalysis": "evaluation.error_analysis",
    "EntityError": "evaluation.matching",
    "LabelIssue": "evaluation.label_issues",
    "pick": "evaluation.pick",
    "Picking": "evaluation.pick",
    "pick_texts": "evaluation.uncertainty_sampling",
    "Pick": "evaluation.uncertainty_sampling",
    "write_report": "pages.report_page",
    # Inspection
    "open_gates": "inspect",
    "Gates": "inspect",
    "explain": "inspect",
    "Explanation": "inspect",
    "EntityAttribution": "inspect",
    "rank_units": "inspect",
    "RankedUnit": "inspect",
    "render": "inspect",
    # Layers
    "LSTM": "layers",
    "LSTMCell": "layers",
    "RNN": "layers",
    "RNNCell": "layers",
    "TorchLSTM": "layers",
    "CRF": "layers",
    "LabelCRFs": "layers",
    "CharEmbed": "layers",
    "HashCharEmbed": "layers",
    "LexiconEmbed": "layers",
    "JiebaTaggerEmbed": "layers",
    "WordTableEmbed": "layers",
    # Exceptions
    "DataError": "exceptions",
    "DamagedComponent": "exceptions",
    "NotCalibrated": "exceptions",
    "PartlyWrittenError": "exceptions",
}

__all__ = ["__version__", *_MODULES]


def __getattr__(name: str) -> Any:
    """Load a name of the public API (PEP 562)."""
    if name in _MODULES:
        value = getattr(import_module(f".{_MODULES[name]}", __name__), name)
    elif name == "__version__":
        # This import takes longer than all the others of this module.
        from importlib.metadata import version

        value = version("spacy-lstm-ner")
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
