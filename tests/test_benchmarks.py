"""The benchmarks run and write their results. No test depends on the speed."""

from xml.etree import ElementTree

import pytest

pytest.importorskip("pyperf", reason="needs the extra benchmarks")
pytest.importorskip("matplotlib", reason="needs the extra benchmarks")
pytestmark = pytest.mark.torch

import numpy as np  # noqa: E402
from typer.testing import CliRunner  # noqa: E402

from benchmarks import __main__ as command  # noqa: E402
from benchmarks import growth, memory, summary  # noqa: E402
from benchmarks.cases import Case, ragged_lengths  # noqa: E402
from benchmarks.charts import spread  # noqa: E402
from benchmarks.records import Record, load, save  # noqa: E402
from benchmarks.summary import GOALS  # noqa: E402

SVG = "{http://www.w3.org/2000/svg}"
LAYERS = {"units": (4,), "directions": (2,), "batches": (1, 2), "repeats": 1}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """What the command prints about tiny layers, and the folder of the results."""
    folder = tmp_path_factory.mktemp("results")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(command.QUICK, "layers", LAYERS)
        arguments = ["layers", "--quick", "--output", str(folder)]
        result = CliRunner().invoke(command.app, arguments)
    assert result.exit_code == 0, result.output
    return result.stdout, folder


def test_layers_are_measured_on_one_thread_and_two(run):
    records = load(run[1] / "results.json")
    cases = 2 * 2 + 1  # batches and tasks; one short sequence
    records = [r for r in records if r.facts["candidate"] != "ONNX Runtime"]
    assert len(records) == 2 * 7 * cases
    assert {record.facts["threads"] for record in records} == {1, 2}
    assert all(len(record.values) == 1 for record in records)


def test_layers_are_printed_and_drawn(run):
    printed, folder = run
    assert "training, 2 threads, 4 units per direction, 2 directions" in printed
    assert "torch.nn.LSTM packed" in printed
    # Each table names the machine, the instruction set and the BLAS.
    facts = command.machine_facts(folder / "results.json")
    assert {"instruction_set", "blas", "commit"} <= facts.keys()
    assert printed.count(command.machine(facts)) >= 2 * 2
    root = ElementTree.parse(folder / "layers.svg").getroot()
    assert root.tag.endswith("svg")
    texts = ["".join(text.itertext()).strip() for text in root.iter(f"{SVG}text")]
    assert any("more is better" in text for text in texts)
    # Names stand at the lines of each panel: tasks and numbers of threads.
    assert texts.count("LSTM") == texts.count("PyTorch, padded") == 4


def test_charts_are_the_same_from_a_file(run, tmp_path):
    results = run[1] / "results.json"
    arguments = ["--from", str(results), "--output", str(tmp_path)]
    result = CliRunner().invoke(command.app, arguments)
    assert result.exit_code == 0, result.output
    again = (tmp_path / "layers.svg").read_bytes()
    assert again == (run[1] / "layers.svg").read_bytes()


def test_names_of_lines_are_moved_apart_as_little_as_possible():
    places = np.array([5.0, 100.0, 4.0, 103.0, 101.0])
    moved = spread(places, 10)
    assert moved == pytest.approx([9.5, 91.33, -0.5, 111.33, 101.33], abs=0.01)
    assert spread(moved, 10) == pytest.approx(moved)
    assert len(spread(np.array([]), 10)) == 0


def test_help_names_the_parts():
    help = CliRunner().invoke(command.app, ["--help"]).stdout
    assert all(part in help for part in command.PARTS)


def test_missing_data_is_said_at_once(tmp_path):
    arguments = ["pipelines", "--data-dir", str(tmp_path), "--output", str(tmp_path)]
    result = CliRunner().invoke(command.app, arguments)
    assert result.exit_code == 2
    assert "spacy project assets" in result.output


def test_lengths():
    lengths = ragged_lengths(32)
    assert sum(lengths) == 2080
    assert lengths == ragged_lengths(128)[:32]
    assert min(ragged_lengths(128)) == 5 and max(ragged_lengths(128)) == 119


def test_a_goal_is_a_ratio_to_the_fastest_other():
    goal = GOALS[0]
    names = {"LSTM": 2.0, "torch.nn.LSTM packed": 8.0, "torch.nn.LSTM padded": 6.0}
    records = [
        Record({**goal.facts, "candidate": name, "threads": 1}, [seconds])
        for name, seconds in names.items()
    ]
    assert goal.ratio(records, threads=1) == 3
    assert goal.ratio(records, threads=2) is None


def test_goals_depend_on_the_instruction_set(capsys):
    records = [
        Record({**GOALS[0].facts, "candidate": name, "threads": 1}, [seconds])
        for name, seconds in {"LSTM": 1.0, "torch.nn.LSTM packed": 1.9}.items()
    ]
    for name, met in {"avx2": "yes", "avx512": "no"}.items():
        summary.show(records, name)
        assert capsys.readouterr().out.rstrip().endswith(met)


def test_records_come_back_from_a_file(tmp_path):
    facts = {"part": "memory", "candidate": "LSTM", "sequences": 2}
    records = [Record(facts, [3.0, 4.0], "byte"), Record(facts, [0.5])]
    save(records, tmp_path / "results.json")
    loaded = load(tmp_path / "results.json")
    assert [r.values for r in loaded] == [[3.0, 4.0], [0.5]]
    assert [r.unit for r in loaded] == ["byte", "second"]
    assert loaded[0].facts["sequences"] == 2


def test_memory_and_growth_are_drawn(tmp_path, capsys):
    records = []
    for name in ("LSTM", "TorchLSTM"):
        for task in ("inference", "training"):
            facts = {"candidate": name, **Case(task, (3, 2)).facts}
            records.append(Record({"part": "memory", **facts}, [5e6], "byte"))
            for axis in growth.AXES:
                point = {"part": "growth", "axis": axis, "size": 2, **facts}
                records += [Record(point, [1.0]), Record(point, [5e6], "byte")]
    save(records, tmp_path / "results.json")
    command.report(tmp_path / "results.json", tmp_path)
    for name in ("memory", "growth"):
        assert (tmp_path / f"{name}.svg").stat().st_size
    assert "TorchLSTM" in capsys.readouterr().out


def test_peak_memory():
    assert memory.peak("LSTM", Case("inference", (5,) * 40, units=8)) > 0
