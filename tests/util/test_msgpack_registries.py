"""The cached look-up of the encoders of srsly's msgpack."""

import catalogue
import spacy
import srsly
import srsly.msgpack
from spacy.tokens import Doc, Span

from spacy_lstm_ner.util.msgpack_registries import cache_registries


def test_look_ups_are_cached(monkeypatch):
    cache_registries()
    doc = Doc(spacy.blank("zh").vocab, words=["北", "京"], spaces=[False, False])
    doc.spans["key"] = [Span(doc, 0, 2, "LOC")]
    expected = doc.to_bytes()
    searches = []
    original = catalogue.Registry.get_all

    def get_all(self):
        searches.append(self.namespace)
        return original(self)

    monkeypatch.setattr(catalogue.Registry, "get_all", get_all)
    assert doc.to_bytes() == expected
    again = Doc(doc.vocab).from_bytes(expected)
    assert [span.text for span in again.spans["key"]] == ["北京"]
    assert ("srsly", "msgpack_encoders") not in searches


def test_new_encoders_are_found():
    cache_registries()
    cache_registries()  # does nothing
    for registry, original in (
        (srsly.msgpack_encoders, srsly.msgpack.msgpack_encoders),
        (srsly.msgpack_decoders, srsly.msgpack.msgpack_decoders),
    ):
        assert registry is original
        assert registry.get_all() == catalogue.Registry.get_all(registry)

    class Point:
        pass

    def encode(value, chain=None):
        if isinstance(value, Point):
            return {"__point__": 1}
        return value if chain is None else chain(value)

    name = "test-point"
    srsly.msgpack_encoders.register(name, func=encode)
    try:
        assert srsly.msgpack_loads(srsly.msgpack_dumps(Point())) == {"__point__": 1}
        # Another function of the same name.
        srsly.msgpack_encoders.register(name, func=lambda value, chain=None: "other")
        assert srsly.msgpack_loads(srsly.msgpack_dumps(Point())) == "other"
    finally:
        del catalogue.REGISTRY["srsly", "msgpack_encoders", name]
    assert name not in srsly.msgpack_encoders.get_all()
