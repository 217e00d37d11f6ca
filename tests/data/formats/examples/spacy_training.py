TRAIN_DATA = [
    (
        "王芳在沪宁医院工作。",
        {"entities": [(0, 2, "PER"), (3, 7, "ORG"), (3, 5, "LOC")]},
    ),
    ("😀李雷去了青岛", {"entities": [(1, 3, "PER"), (5, 7, "LOC")]}),
]
