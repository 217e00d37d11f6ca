"""Examples for the demo page."""

from spacy_lstm_ner.server.examples import TEXTS, choose_examples


def test_the_most_probable_entity_of_each_label():
    found = {
        "a": [("X", 0.5), ("Y", 0.2)],
        "b": [("X", 0.9)],
        "c": [("Z", None)],
    }

    def find(texts):
        return [
            [{"label": label, "score": score} for label, score in found[text]]
            for text in texts
        ]

    texts = ["a", "b", "c", "", "two\nlines", "long" * 100]
    examples = choose_examples(texts, find, ["X", "Y", "Z", "NEVER FOUND"])
    assert examples == [("X", "b"), ("Y", "a"), ("Z", "c")]


def test_made_up_texts_can_be_chosen():
    for texts in TEXTS.values():
        assert len(choose_examples(texts, lambda ts: [[]] * len(ts), [])) == 0
        assert all(0 < len(text) <= 160 for text in texts)
