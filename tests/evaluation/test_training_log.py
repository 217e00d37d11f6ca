"""The training log, `spacy-lstm-ner.ReportLogger.v1`."""

import io
import json
import time

import numpy as np
import pytest
import spacy
from spacy.training.initialize import init_nlp
from spacy.training.loop import train
from thinc.api import Config, warmup_linear

from spacy_lstm_ner.evaluation import training_log
from spacy_lstm_ner.evaluation.training_log import FORMAT, read_log, report_logger
from spacy_lstm_ner.model.pretraining import Pretraining, _thinned
from spacy_lstm_ner.pipeline import LSTMEntityRecognizer

from ..helpers.paths import EASY
from ..helpers.pipelines import SMALL_MODEL

CONSOLE = {"@loggers": "spacy.ConsoleLogger.v3", "progress_bar": "eval"}
WARMUP = {"initial_rate": 0.01, "warmup_steps": 5, "total_steps": 20}


def trained_with(logger, *, steps=12, optimizer=None, pretrain_steps=0):
    """Train on the sample with spaCy's training loop, and return its output."""
    nlp = spacy.blank("zh")
    nlp.add_pipe("lstm_ner", config={"model": SMALL_MODEL})
    config = Config(nlp.config).copy()
    reader = {
        "@readers": "spacy-lstm-ner.BIOCorpus.v1",
        "path": str(EASY),
        "limit": 40,
    }
    config["corpora"].update(train=reader, dev=reader)
    config["training"].update(
        max_steps=steps,
        eval_frequency=5,
        logger=logger,
        batcher={"@batchers": "spacy.batch_by_sequence.v1", "size": 8},
        optimizer={"@optimizers": "Adam.v1", "learn_rate": 0.01, **(optimizer or {})},
    )
    settings = {"pretrain_steps": pretrain_steps}
    config["initialize"]["components"] = {"lstm_ner": settings}
    stdout = io.StringIO()
    train(init_nlp(config), None, stdout=stdout, stderr=io.StringIO())
    return stdout.getvalue()


def chain(path):
    return {
        "@loggers": "spacy.ChainLogger.v1",
        "logger1": CONSOLE,
        "logger2": {"@loggers": FORMAT, "path": path and str(path)},
    }


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The output and the log of a training, also with spaCy's console logger."""
    path = tmp_path_factory.mktemp("log") / "new" / "log.jsonl"
    path.parent.mkdir()
    path.write_text("what another training wrote\n" * 100)
    return trained_with(chain(path)), path


def test_the_output_of_the_console_logger_is_unchanged(run):
    alone = trained_with(CONSOLE)
    assert "ENTS_F" in alone and run[0] == alone
    assert trained_with(chain(None)) == alone


def test_each_evaluation_is_a_line(run):
    output, path = run
    log = read_log(path)
    assert [line["step"] for line in log.evaluations] == [0, 5, 10]
    rows = [line.split() for line in output.splitlines() if line[:3].strip().isdigit()]
    for line, (epoch, step, loss, f, p, r, score) in zip(
        log.evaluations, rows, strict=True
    ):
        assert [line["epoch"], line["step"]] == [int(epoch), int(step)]
        assert line["losses"]["lstm_ner"] == pytest.approx(float(loss), abs=0.01)
        for name, printed in (("f", f), ("p", p), ("r", r)):
            figure = 100 * line["scores"][f"ents_{name}"]
            assert figure == pytest.approx(float(printed), abs=0.01)
        assert line["score"] == pytest.approx(float(score), abs=0.01)
    last = log.evaluations[-1]
    assert {"p", "r", "f"} == last["scores"]["ents_per_type"]["NAME"].keys()
    assert log.header["unit"] == "characters"
    assert log.header["versions"]["spacy"] == spacy.__version__
    assert Config().from_str(log.header["config"])["training"]["max_steps"] == 12
    tokens = [line["tokens"] for line in log.evaluations]
    seconds = [line["seconds"] for line in log.evaluations]
    assert 0 < tokens[0] < tokens[1] < tokens[2]
    assert 0 < seconds[0] < seconds[1] < seconds[2]
    # The first step is followed by an evaluation, so there is no speed yet.
    assert log.evaluations[0]["speed"] is None and last["speed"] > 0


@pytest.mark.parametrize("schedule", ["constant", "warmup_linear"])
def test_the_learning_rate_is_the_one_of_the_step(tmp_path, monkeypatch, schedule):
    used = []
    optimizer = {}
    if schedule == "warmup_linear":
        optimizer["learn_rate"] = {"@schedules": "warmup_linear.v1", **WARMUP}

    finish = LSTMEntityRecognizer.finish_update

    def finish_update(self, sgd):
        used.append(sgd.learn_rate)
        finish(self, sgd)

    monkeypatch.setattr(LSTMEntityRecognizer, "finish_update", finish_update)
    trained_with(chain(tmp_path / "log.jsonl"), optimizer=optimizer)
    lines = read_log(tmp_path / "log.jsonl").evaluations
    assert [line["learn_rate"] for line in lines] == [used[0], used[5], used[10]]
    rates = warmup_linear(**WARMUP)
    expected = [next(rates) for _ in used] if optimizer else [0.01] * len(used)
    assert used == expected


def silent_steps(path, *, step=0.0, evaluation=0.0):
    """Call the logger as spaCy does, with steps and an evaluation that take time."""
    log_step, finalize = report_logger(path)(spacy.blank("zh"), None, None)
    info = {"epoch": 0, "score": 0.5, "losses": {}, "other_scores": {}}
    for i in range(11):
        time.sleep(step)
        if i % 5:
            log_step(None)
        else:
            time.sleep(evaluation)
            log_step({**info, "step": i, "words": 100 * (i + 1)})
    return finalize


def test_the_speed_excludes_evaluation(tmp_path):
    silent_steps(tmp_path / "log.jsonl", step=0.01, evaluation=0.2)()
    lines = read_log(tmp_path / "log.jsonl").evaluations
    for line in lines[1:]:
        # With the evaluation it would be 2,000; a busy machine may sleep longer.
        assert 4000 < line["speed"] <= 10_000
    assert lines[-1]["seconds"] > 0.7


def test_pretraining_is_logged_with_its_duration_and_losses(tmp_path, capsys):
    """The output of the console logger only differs in its losses."""
    path = tmp_path / "log.jsonl"
    shown = trained_with(chain(path), steps=6, pretrain_steps=30)
    rows = [line for line in shown.splitlines() if line[:3].strip().isdigit()]
    assert len(rows) == 2 and "retraining" not in shown
    assert "[lstm_ner] Pretraining on 40 texts, 30 steps" in capsys.readouterr().err
    log = read_log(path)
    (line,) = log.pretrainings
    assert {key: line[key] for key in ("pretraining", "texts", "steps")} == {
        **{"pretraining": "lstm_ner", "texts": 40, "steps": 30},
    }
    assert [step for step, _ in line["losses"]] == [*range(1, 31)]
    assert line["losses"][0][1] > line["losses"][-1][1] + 0.1
    assert [line["step"] for line in log.evaluations] == [0, 5]
    # It is included in the time since the start, and precedes the first step.
    assert 0 < line["seconds"] < log.evaluations[0]["seconds"]


def test_the_curve_of_a_long_pretraining_is_thinned(tmp_path):
    losses = [float(step) for step in range(1, 3001)]
    points = _thinned(losses)
    assert len(points) == 200 and points[0] == (15, 8.0) and points[-1] == (3000, 2993)
    assert _thinned([2.0]) == [(1, 2.0)]


class Recognizer(LSTMEntityRecognizer):
    def __init__(self):
        self.pretraining = None


@pytest.mark.parametrize("at", [0, 3, 5])
def test_the_speed_excludes_pretraining(tmp_path, monkeypatch, at):
    """Whatever the first step is in which the component learns."""
    now = [0.0]
    monkeypatch.setattr(training_log, "perf_counter", lambda: now[0])
    pipes = {"one": Recognizer(), "two": Recognizer()}
    pipes["two"].pretraining = Pretraining(1, 1, 99.0, [(1, 7.0)])  # of another run
    monkeypatch.setattr(training_log, "recognizers", lambda nlp: pipes)
    path = tmp_path / "log.jsonl"
    log_step, finalize = report_logger(path)(spacy.blank("zh"), None, None)
    info = {"epoch": 0, "score": 0.5, "losses": {}, "other_scores": {}}
    for i in range(11):
        now[0] += 1.0
        if i == at:
            now[0] += 1000.0
            pipes["one"].pretraining = Pretraining(1, 1, 1000.0, [(1, 7.0)])
        if i % 5:
            log_step(None)
        else:
            now[0] += 50.0  # of the evaluation
            log_step({**info, "step": i, "words": 100 * (i + 1)})
    finalize()
    log = read_log(path)
    assert [line["speed"] for line in log.evaluations] == [None, 100.0, 100.0]
    assert log.evaluations[-1]["seconds"] == 11 + 1000 + 150
    (line,) = log.pretrainings
    assert (line["pretraining"], line["seconds"]) == ("one", 1000.0)


def test_the_log_can_be_read_during_training(tmp_path):
    path = tmp_path / "log.jsonl"
    finalize = silent_steps(path)
    assert [line["step"] for line in read_log(path).evaluations] == [0, 5, 10]
    finalize()
    # Killed while writing a line.
    path.write_bytes(path.read_bytes()[:-10])
    assert [line["step"] for line in read_log(path).evaluations] == [0, 5]


def test_the_best_step_is_the_one_that_spacy_saves(tmp_path):
    path = tmp_path / "log.jsonl"
    silent_steps(path)()
    # spaCy saves model-best again if the same score is reached again.
    assert read_log(path).best["step"] == 10
    lines = path.read_text().replace('"score": 0.5', '"score": 0.9', 1)
    path.write_text(lines)
    assert read_log(path).best["step"] == 0


def test_whatever_a_component_reports_can_be_read_again(tmp_path):
    path = tmp_path / "log.jsonl"
    log_step, finalize = report_logger(path)(spacy.blank("en"), None, None)
    log_step(
        {
            **{"epoch": 0, "step": 0, "words": 7, "score": np.float32(0.5)},
            "losses": {"a": np.float32(2.0), "b": float("nan"), "c": np.array(3.0)},
            "other_scores": {"speed": 1, "tags": ["x"], "by": {"类": {"f": 0.5}}},
        }
    )
    finalize()
    text = path.read_text("utf8")
    assert "NaN" not in text and "类" in text
    log = read_log(path)
    (line,) = log.evaluations
    assert log.header["unit"] == "tokens"
    assert line["losses"] == {"a": 2.0, "c": 3.0}
    assert line["scores"] == {"speed": 1, "by": {"类": {"f": 0.5}}}
    assert line["score"] == 0.5


GOOD = {
    **{"step": 0, "epoch": 0, "score": 0.5, "losses": {}, "scores": {}},
    **{"learn_rate": 0.1, "tokens": 1, "seconds": 1.0, "speed": None},
}
READ = {"pretraining": "a", "texts": 1, "steps": 1, "seconds": 1.0, "losses": []}
HEADER = json.dumps({"format": FORMAT, "config": "", "versions": {}, "unit": "tokens"})


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ([], ":1: not the header of a log of"),
        (["{}", json.dumps(GOOD)], ":1: not the header of a log of"),
        ([HEADER, json.dumps(GOOD), '{"step": 1'], ":3: invalid JSON"),
        ([HEADER, "\x00"], ":2: invalid JSON"),
        ([HEADER, "[1]"], ":2: not a JSON object"),
        ([HEADER, '{"step": 1}'], ":2: missing epoch, learn_rate, losses, score"),
        ([HEADER, json.dumps({**GOOD, "step": "x"})], ":2: invalid step: 'x'"),
        ([HEADER, '{"pretraining": "a"}'], ":2: missing losses, seconds, steps, texts"),
        ([HEADER, json.dumps({**READ, "steps": 0.5})], ":2: invalid steps: 0.5"),
        (
            [HEADER, json.dumps({**READ, "losses": [[1]]})],
            ":2: invalid losses: not pairs",
        ),
        (
            [HEADER, json.dumps({**READ, "losses": ["1x"]})],
            ":2: invalid losses: not pairs",
        ),
    ],
)
def test_errors_name_the_line_of_a_damaged_log(tmp_path, lines, says):
    path = tmp_path / "log.jsonl"
    path.write_text("".join(f"{line}\n" for line in lines))
    with pytest.raises(ValueError) as error:
        read_log(path)
    assert str(error.value).startswith(f"{path}{says}")
