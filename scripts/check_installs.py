"""Install the wheel, and the source distribution with and without a compiler, each in
a fresh environment of this Python, and use the package there.

python -m build && python scripts/check_installs.py dist

`nox -s distributions` does both; `-P 3.13` selects another Python.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
SAVED = ROOT / "tests" / "saved" / "0.1.0"
NO_COMPILER = {"CC": "/bin/false", "CXX": "/bin/false"}
# For each: the distribution, variables of the environment, and whether the kernels
# have to be compiled.
INSTALLS = {
    "wheel": ("spacy_lstm_ner-*.whl", {}, True),
    "wheel without a compiler": ("spacy_lstm_ner-*.whl", NO_COMPILER, True),
    "sdist": ("spacy_lstm_ner-*.tar.gz", {}, True),
    "sdist without a compiler": ("spacy_lstm_ner-*.tar.gz", NO_COMPILER, False),
}
USE = """
import json, sys
from pathlib import Path
import spacy
from spacy.training import Example
import spacy_lstm_ner

saved = Path(sys.argv[1])
expected = json.loads((saved / "found.json").read_text("utf8"))
docs = spacy.load(saved / "chars").pipe(expected["texts"])
found = [[[e.start_char, e.end_char, e.label_] for e in doc.ents] for doc in docs]
assert found == expected["found"]["chars"], found

nlp = spacy.blank("zh")
nlp.add_pipe("lstm_ner")
text = "王芳任北京大学教授。"
gold = nlp.make_doc(text)
gold.ents = [gold.char_span(0, 2, label="NAME"), gold.char_span(3, 7, label="ORG")]
examples = [Example(nlp.make_doc(text), gold)]
optimizer = nlp.initialize(lambda: examples)
for _ in range(20):
    nlp.update(examples, sgd=optimizer)
assert [ent.text for ent in nlp(text).ents] == ["王芳", "北京大学"]
nlp.to_disk("trained")
print("spacy_lstm_ner", spacy_lstm_ner.__version__, "loads, trains and predicts")
"""
# Each reads a file that has to be in the package.
COMMANDS = (
    ("gates", "trained", "王芳任北京大学教授。", "gates.html"),
    ("card", "trained"),
    ("info",),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("folder", type=Path, help="the folder of the distributions")
    folder = parser.parse_args().folder.resolve()
    for name, (pattern, variables, compiled) in INSTALLS.items():
        found = sorted(folder.glob(pattern))
        if len(found) != 1:
            sys.exit(f"{folder} has to have one {pattern}, and has {len(found)}.")
        start = time.monotonic()
        with tempfile.TemporaryDirectory() as temporary:
            kernels = install_and_use(found[0], Path(temporary), variables)
        if compiled != (kernels == "yes"):
            sys.exit(f"{name}: compiled kernels: {kernels}")
        version = ".".join(map(str, sys.version_info[:3]))
        seconds = time.monotonic() - start
        print(
            f"Python {version}, {name}: {seconds:.0f} s, kernels: {kernels}", flush=True
        )


def install_and_use(path: Path, folder: Path, variables: dict[str, str]) -> str:
    """RETURNS: What the command `info` says about the kernels."""
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    environment = {**os.environ, "PYTHONIOENCODING": "utf8", **variables}
    environment.pop("PYTHONPATH", None)
    # The kernels of this environment are asked for.
    environment.pop("SPACY_LSTM_NER_KERNELS", None)

    def run(*command: str | Path) -> str:
        done = subprocess.run(
            [str(python), *map(str, command)],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf8",
        )
        if done.returncode:
            sys.exit(f"{' '.join(map(str, command))}\n{done.stdout}")
        return done.stdout

    run("-m", "pip", "install", "--quiet", path)
    run("-m", "pip", "check")
    run("-c", USE, SAVED)
    output = ""
    for command in COMMANDS:
        output = run("-m", "spacy", "lstm-ner", *command)
    (line,) = (line for line in output.splitlines() if "compiled kernels" in line)
    return line.partition("compiled kernels")[2].strip()


if __name__ == "__main__":
    main()
