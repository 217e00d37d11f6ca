"""How often the same text is annotated as an entity, and how often it is not."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from .annotation import AnnotatedText

# Longer entities are not searched for: they hardly occur twice.
_MAX_LENGTH = 100


class SurfaceForms:
    """The texts of entities, to search for in other texts.

    texts: The texts of the entities.
    """

    def __init__(self, texts: Iterable[str]):
        self.texts = frozenset(texts)
        #: All prefixes: a search ends where a text continues like none of them.
        self.prefixes = {
            text[:size]
            for text in self.texts
            if len(text) <= _MAX_LENGTH
            for size in range(1, len(text) + 1)
        }


def find_mentions(
    annotated: AnnotatedText, forms: SurfaceForms
) -> Iterator[tuple[int, int]]:
    """Find the texts of entities outside of all entities. Mentions consist of whole
    tokens with annotation. They are searched for from left to right, the longest first,
    and do not overlap.

    annotated: The text to search.
    forms: The texts to search for.
    YIELDS: The start and end character of each mention.
    """
    text = annotated.text
    excluded = annotated.mask((*annotated.unannotated, *annotated.entities))
    inside = annotated.token_inside.ljust(len(text) + 1, b"\0")
    mention_end = 0
    for start in range(len(text)):
        if start < mention_end or inside[start]:
            continue
        for end in range(start + 1, len(text) + 1):
            part = text[start:end]
            if excluded[end - 1] or part not in forms.prefixes:
                break
            if part in forms.texts and not inside[end]:
                mention_end = end
        if start < mention_end:
            yield start, mention_end


def count_labels(
    corpus: Iterable[AnnotatedText], forms: SurfaceForms
) -> dict[str, Counter[str]]:
    """Count how often each text is annotated with each label.

    corpus: The annotated texts.
    forms: The texts to count.
    RETURNS: The counts by text, then by label. The empty label stands for no entity:
        see `find_mentions`. Parts of longer entities are not counted.
    """
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for annotated in corpus:
        for start, end, label in annotated.entities:
            if annotated.text[start:end] in forms.texts:
                counts[annotated.text[start:end]][label] += 1
        for start, end in find_mentions(annotated, forms):
            counts[annotated.text[start:end]][""] += 1
    return counts
