"""Entities, and their tags in each scheme."""

SPANS = [(0, 1, "A"), (1, 4, "A"), (5, 7, "B-C")]
WRITTEN = {
    "BIO": "B-A B-A I-A I-A O B-B-C I-B-C",
    "IOB1": "I-A B-A I-A I-A O I-B-C I-B-C",
    "BIOES": "S-A B-A I-A E-A O B-B-C E-B-C",
    "BMES": "S-A B-A M-A E-A O B-B-C E-B-C",
}
