"""Entities, and their tags in each scheme."""

SPANS = [(0, 1, "A"), (1, 4, "A"), (5, 7, "B-C")]
WRITTEN = {
    "BIO": "B-A B-A I-A I-A O B-B-C I-B-C",
    "IOB1": "I-A B-A I-A I-A O I-B-C I-B-C",
    "BIOES": "S-A B-A I-A E-A O B-B-C E-B-C",
    "BMES": "S-A B-A M-A E-A O B-B-C E-B-C",
    "BILOU": "U-A B-A I-A L-A O B-B-C L-B-C",
    "BMEWO": "W-A B-A M-A E-A O B-B-C E-B-C",
}


def written(spans, n, scheme):
    """The tags of n units, some of them in entities that do not overlap."""
    tags = ["O"] * n
    inside, last, single = {
        "BIOES": "IES",
        "BMES": "MES",
        "BILOU": "ILU",
        "BMEWO": "MEW",
    }.get(scheme, "IIB")
    for start, end, label in spans:
        tags[start:end] = [f"{inside}-{label}"] * (end - start)
        tags[end - 1] = f"{last}-{label}"
        tags[start] = f"{single if end - start == 1 else 'B'}-{label}"
        touches = start and tags[start - 1].partition("-")[2] == label
        if scheme == "IOB1" and not touches:
            tags[start] = f"I-{label}"
    return tags
