"""A tiny transformer with random weights, in place of a pretrained one."""

from pathlib import Path

from spacy.util import load_config

from .paths import REPOSITORY

#: Word pieces of several characters, beside the characters of the training data.
PIECES = ["2008", "20", "##08", "abc", "##de", "##f"]
#: The most word pieces that it reads at once, with the two special ones.
MAX_LENGTH = 160


def save_tiny_bert(folder: Path, texts: list[str]) -> Path:
    """Save a BERT with its tokenizer, in the format of the Hugging Face hub.

    folder: An empty folder.
    texts: Their characters are the vocabulary.
    RETURNS: The folder.
    """
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    chars = sorted({char for text in texts for char in text if char.strip()})
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *chars, *PIECES]
    (folder / "vocab.txt").write_text("\n".join(vocabulary), "utf8")
    BertTokenizerFast(
        vocab_file=str(folder / "vocab.txt"),
        do_lower_case=False,
        model_max_length=MAX_LENGTH,
    ).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=MAX_LENGTH,
        # Training computes the same as prediction.
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    BertModel(config).save_pretrained(folder)
    return folder


def transformer_config(folder: Path, **overrides):
    """The config `transformer` with a small LSTM, to be trained in a few steps.

    folder: The folder of the transformer.
    overrides: Other values, by their names in the config with "__" in place of ".".
    """
    values = {
        "paths.transformer": str(folder),
        "components.lstm_ner.model.tok2vec.encode.width": 64,
        "training.dropout": 0.0,
        "training.max_steps": 60,
        "training.eval_frequency": 60,
        "training.optimizer.learn_rate.warmup_steps": 10,
        "training.optimizer.learn_rate.total_steps": 200,
        "training.optimizer.learn_rate.initial_rate": 0.001,
        **{name.replace("__", "."): value for name, value in overrides.items()},
    }
    path = REPOSITORY / "configs" / "transformer.cfg"
    return load_config(path, overrides=values)
