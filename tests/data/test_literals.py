"""Values as Python and JSON print them: what is meant is read, and nothing else."""

import ast
import json
import subprocess
import sys
import tracemalloc
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_lstm_ner.data.files import DataFile
from spacy_lstm_ner.data.literals import MAX_DEPTH, parse_json, parse_literal
from spacy_lstm_ner.data.problems import ProblemLog
from spacy_lstm_ner.data.values import UNREADABLE

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec=None, exclude_categories=()))
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(SCALARS.filter(lambda key: key not in ("text", 0, 1)), inner)
    ),
)


@given(VALUES)
@settings(max_examples=300, deadline=None)
def test_values_as_python_prints_them(value):
    assert parse_literal(repr(value)) == value
    assert parse_literal(ascii(value)) == value


@given(st.text("ntxuUN01234567aq'\"\\{} \t", max_size=12), st.sampled_from("'\""))
@settings(max_examples=1000, deadline=None)
def test_escapes_match_python(text, quote):
    source = f"{quote}{text}{quote}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            expected = ast.literal_eval(source.encode().decode())
        except (ValueError, SyntaxError):
            expected = None
    try:
        found = parse_literal(source)
    except ValueError:
        # Two strings side by side, or three quotation marks, are not meant.
        assert expected is None or source.count(quote) > 2
    else:
        assert found == expected


@pytest.mark.parametrize(
    "source",
    [
        r"'\N{DIGIT ONE}\x41\u4e2d\U0001f600\101\7\8\q\''",
        r"""["\"", '"', u'a', r'a\n', r'\'']""",
        "{ 'a' : ( 1 , ) , 2:[ ] , None:(3), True:{}, }",
        "[-1, +2.5, .5, 5., 1e3, 00, -1E-3]",
        "('a')",
        "()",
        "\t[1,\f2]  ",
    ],
)
def test_equivalent_spellings(source):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert parse_literal(source) == ast.literal_eval(source.strip())


def test_numbers_that_are_not_literals_in_python():
    assert parse_literal("[inf, -inf]") == [float("inf"), -float("inf")]
    assert str(parse_literal("nan")) == "nan"
    assert parse_literal("9" * 5000) == parse_json("9" * 5000) == float("inf")
    assert parse_json('{"p": NaN, "q": 1e999}')["q"] == float("inf")


@pytest.mark.parametrize(
    "source",
    [
        *("", "1+1", "1 + 2j", "1j", "- 5", "--5", "0x10", "1_000", "01", "1.2.3"),
        *("b'a'", "f'a'", "ur'a'", "'a' 'b'", "'''a'''", "{1, 2}", "{}[0]", "a", "..."),
        *("open('x')", "lambda: 0", "[1 2]", "[,]", "(,)", "[1,,2]", "{'a'}"),
        *("{'a' 1}", "{[]: 1}", "[1", "1]", "[1)", "{'a': 1]", "'a", "'a\\", "'a\0'"),
        *("'a\rb'", r"'\x4'", r"'\u12'", r"'\U00110000'", r"'\N{NO SUCH}'", "[1] # a"),
        *("None1", "Nonex", "nanx", "[", "{", "{'a':", ":", "[:]", "1:2", "True()"),
        r"'\N{KEYCAP DIGIT ONE}'",
        "{'text': '一', 'text': '二'}",
    ],
)
def test_nothing_else_is_accepted(source):
    with pytest.raises(ValueError):
        parse_literal(source)


def test_errors_have_the_column():
    with pytest.raises(ValueError, match=r"column 6: .*'\+1\]'"):
        parse_literal("[1, 2+1]")
    with pytest.raises(ValueError, match=r"column 3: .*end of the line"):
        parse_literal("[1")
    with pytest.raises(ValueError, match="column 4: Expecting"):
        parse_json("[1 2]")


@pytest.mark.parametrize("parse", [parse_literal, parse_json])
def test_depth_of_brackets_is_limited(parse):
    depth = MAX_DEPTH
    assert parse("[" * depth + "]" * depth) is not None
    for source in ("[" * (depth + 1) + "]" * (depth + 1), "[" * 100_000):
        with pytest.raises(ValueError, match="levels of brackets"):
            parse(source)
    # In a string they are characters.
    text = '[\\"{' * 1000
    assert parse(f'["{text}", [1]]') == [json.loads(f'"{text}"'), [1]]
    assert len(parse("[" + "[]," * 1000 + "[]]")) == 1001


@pytest.mark.parametrize("parse", [parse_literal, parse_json])
def test_keys_that_occur_twice_are_errors(parse):
    """One of the two values would be lost."""
    with pytest.raises(ValueError, match="the key 'text' occurs twice"):
        parse('{"text": "a", "labels": [], "text": "b"}')
    with pytest.raises(ValueError, match="the key 'entities' occurs twice"):
        parse('{"entities": [[0, 1, "A"]], "entities": [[1, 2, "B"]]}')
    with pytest.raises(ValueError, match="the key 'orth' occurs twice"):
        parse('[{"orth": "a", "orth": "b"}]')


LONG = {
    "strings": "[" + "'字', " * 150_000 + "]",
    "numbers": "[" + "1," * 500_000 + "]",
    "escapes": "'" + r"\n" * 500_000 + "'",
    "sum": "1+" * 500_000 + "1",
    "brackets": "(" * 1_000_000,
    "minus": "-" * 1_000_000,
}


@pytest.mark.parametrize("name", LONG)
def test_memory_is_a_small_multiple_of_the_line(name):
    tracemalloc.start()
    try:
        parse_literal(LONG[name])
    except ValueError:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 30 * len(LONG[name])


@pytest.mark.parametrize(
    "line",
    [
        "1+" * 300_000 + "1",
        "-" * 300_000 + "1",
        "(" * 300_000,
        "[" + "9" * 5000 + "]",
        "{'text': 'a', 'labels': ['O'], 'x': " + "9" * 400 + " + 1j}",
        '{"text": "a", "labels": ["O"], "x": ' + "[" * 300_000,
    ],
    # As names of tests they are too long for the environment of a process.
    ids=["a sum", "signs", "brackets", "digits", "a complex number", "JSON"],
)
def test_no_line_crashes_the_interpreter(line, tmp_path):
    """In a subprocess, since some lines could crash the interpreter."""
    good = "{'text': '好', 'labels': ['O']}"
    path = tmp_path / "data.txt"
    path.write_text(f"{good}\n{line}\n{good}\n", "utf8")
    code = (
        "import sys\n"
        "from spacy_lstm_ner.data.files import DataFile\n"
        "from spacy_lstm_ner.data.problems import ProblemLog\n"
        "log = ProblemLog()\n"
        "print(len(list(DataFile(sys.argv[1]).records(log))), *log.counts)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-1000:]
    assert done.stdout.startswith("2 ") and "not a record" in done.stdout


def test_other_keys_can_have_any_numbers(tmp_path):
    path = tmp_path / "data.jsonl"
    path.write_text(
        '{"text": "好", "labels": ["O"], "p": NaN, "n": %s}\n' % ("9" * 5000), "utf8"
    )
    (record,) = DataFile(path).records(ProblemLog(strict=True))
    assert record.units == ["好"]
    assert OverflowError not in UNREADABLE
