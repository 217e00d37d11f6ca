"""Measure what the config `transformer` costs: CPU seconds of training and prediction.

    python scripts/measure_transformer.py corpus/resume --layers 12

The transformer is a BERT with random weights and the vocabulary of the corpus. Its
time does not depend on the values of the weights, only on their number.
"""

import argparse
import os
import resource
import tempfile
import time
from itertools import islice
from pathlib import Path

# Before NumPy and PyTorch are imported: CPU seconds of one core can be compared.
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

from spacy import registry
from spacy.language import Language
from spacy.schemas import ConfigSchemaTraining
from spacy.tokens import DocBin
from spacy.training import Example
from spacy.training.initialize import init_nlp
from spacy.util import load_config
from spacy.vocab import Vocab
from transformers import BertConfig, BertModel, BertTokenizerFast

CONFIG = Path(__file__).parents[1] / "configs" / "transformer.cfg"


def save_random_bert(folder: Path, texts: list[str], layers: int, width: int) -> None:
    """Save a BERT with random weights, with 64 dimensions per head as usual."""
    chars = sorted({char for text in texts for char in text if char.strip()})
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *chars]
    (folder / "vocab.txt").write_text("\n".join(vocabulary), "utf8")
    tokenizer = BertTokenizerFast(str(folder / "vocab.txt"), model_max_length=512)
    tokenizer.save_pretrained(folder)
    config = BertConfig(
        vocab_size=max(len(vocabulary), 21128),
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=max(width // 64, 1),
        intermediate_size=4 * width,
    )
    BertModel(config).save_pretrained(folder)


def measure_training(nlp: Language, examples: list[Example], steps: int) -> None:
    """Print the time of a training step, as `spacy train` makes it."""
    settings = nlp.config.interpolate()["training"]
    training = registry.resolve(settings, schema=ConfigSchemaTraining)
    frozen = training["frozen_components"]
    batches = list(training["batcher"](examples))
    # The first steps allocate memory.
    warm_up = 2
    for number, batch in enumerate(islice(batches, warm_up + steps)):
        if number == warm_up:
            start = time.process_time()
        nlp.update(
            batch,
            sgd=False,  # type: ignore[arg-type]
            drop=training["dropout"],
            exclude=frozen,
            annotates=training["annotating_components"],
        )
        for name, pipe in nlp.pipeline:
            if name not in frozen:
                pipe.finish_update(training["optimizer"])  # type: ignore[attr-defined]
    seconds = (time.process_time() - start) / steps
    n_steps = training["max_steps"]
    print(f"{seconds:.1f} s per step, {len(batches)} steps per pass over the data")
    print(f"{seconds * n_steps / 3600:.1f} h for {n_steps} steps")


def measure_prediction(nlp: Language, texts: list[str], length: int) -> None:
    """Print the speed on many texts, the time of one, and the memory of a long one."""
    start = time.process_time()
    for _ in nlp.pipe(texts):
        pass
    seconds = time.process_time() - start
    print(f"{sum(map(len, texts)) / seconds:.0f} characters a second in nlp.pipe")
    start = time.process_time()
    for text in texts[:20]:
        nlp(text)
    seconds = (time.process_time() - start) / len(texts[:20])
    mean = sum(map(len, texts[:20])) / len(texts[:20])
    print(f"{seconds * 1000:.0f} ms for one text of {mean:.0f} characters")
    before = memory()
    nlp(("".join(texts) * length)[:length])
    print(f"{memory() - before:.0f} MB more for one text of {length} characters")


def memory() -> float:
    """The largest memory of the process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", type=Path, help="folder with train.spacy")
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--width", type=int, default=768)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--texts", type=int, default=256)
    parser.add_argument("--length", type=int, default=10_000, help="of a long text")
    parser.add_argument("--frozen", action="store_true")
    args = parser.parse_args()
    docs = list(DocBin().from_disk(args.corpus / "train.spacy").get_docs(Vocab()))
    frozen = ["transformer"] if args.frozen else []
    with tempfile.TemporaryDirectory() as folder:
        texts = [doc.text for doc in docs]
        save_random_bert(Path(folder), texts, args.layers, args.width)
        overrides = {
            "paths.train": str(args.corpus / "train.spacy"),
            "paths.dev": str(args.corpus / "train.spacy"),
            "paths.transformer": folder,
            "training.frozen_components": frozen,
            "training.annotating_components": frozen,
        }
        nlp = init_nlp(load_config(CONFIG, overrides=overrides))
    examples = [Example(nlp.make_doc(doc.text), doc) for doc in docs]
    measure_prediction(nlp, texts[: args.texts], args.length)
    measure_training(nlp, examples, args.steps)
    print(f"{memory():.0f} MB of memory at most")


if __name__ == "__main__":
    main()
