"""PyTorch is optional: without it everything else imports and runs."""

import subprocess
import sys
import textwrap

import pytest

# spaCy imports the entry points of spacy-transformers, which needs PyTorch: with this
# it is as if neither was installed.
BLOCK = """
import sys
from importlib import metadata

sys.modules["torch"] = None
installed = metadata.distributions
metadata.distributions = lambda **of: (
    one for one in installed(**of) if one.name != "spacy-transformers"
)
"""


def run_without_torch(code: str) -> subprocess.CompletedProcess:
    """Run code in a new process in which PyTorch cannot be imported."""
    return subprocess.run(
        [sys.executable, "-c", BLOCK + textwrap.dedent(code)],
        capture_output=True,
        text=True,
    )


def test_all_but_the_torch_layer_runs():
    result = run_without_torch(
        """
        import spacy
        from spacy.training import Example
        from spacy_lstm_ner.layers import LSTM, TorchLSTM

        nlp = spacy.blank("zh")
        nlp.add_pipe("lstm_ner")
        doc = nlp.make_doc("王芳任教授")
        doc.ents = [doc.char_span(0, 2, "NAME")]
        examples = [Example(nlp.make_doc(doc.text), doc)]
        optimizer = nlp.initialize(lambda: examples)
        nlp.update(examples, sgd=optimizer)
        nlp("王芳任教授")
        assert "torch" not in sys.modules or sys.modules["torch"] is None
        print("it runs")
        """
    )
    assert result.stdout == "it runs\n", result.stderr


@pytest.mark.parametrize(
    "code",
    [
        "from spacy_lstm_ner.layers import TorchLSTM; TorchLSTM(4, 3)",
        """
        import spacy
        encode = {
            "@architectures": "spacy-lstm-ner.TorchLSTMEncoder.v1",
            "width": 8, "depth": 1, "bi": True,
        }
        model = {"tok2vec": {"encode": encode}}
        spacy.blank("zh").add_pipe("lstm_ner", config={"model": model})
        """,
    ],
    ids=["layer", "config"],
)
def test_the_torch_layer_names_what_to_install(code):
    result = run_without_torch(code)
    assert result.returncode == 1
    error = result.stderr.strip().splitlines()[-1]
    assert error.startswith("ImportError: TorchLSTM needs PyTorch")
    assert 'pip install "spacy-lstm-ner[torch]"' in error
