"""Search the settings of a config with Optuna.

    python examples/tune.py corpus --trials 30

CORPUS is a folder with train.spacy and dev.spacy. Settings are chosen by the F1 on the
development data. Test data is not read: evaluate the pipeline that is trained with the
final settings on it, once.
"""

import io
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import optuna
import typer
from spacy import registry
from spacy.training.initialize import init_nlp
from spacy.training.loop import train
from spacy.util import load_config

FAST = Path(__file__).parents[1] / "configs" / "fast.cfg"


def suggest(trial: optuna.Trial) -> dict[str, Any]:
    """The settings to search, and their ranges: change them here."""
    encode = "components.lstm_ner.model.tok2vec.encode"
    return {
        "training.dropout": trial.suggest_float("dropout", 0.2, 0.6),
        "training.optimizer.learn_rate": trial.suggest_float(
            "learn_rate", 0.0003, 0.003, log=True
        ),
        f"{encode}.width": trial.suggest_int("width", 64, 192, step=32),
    }


def main(
    corpus: Annotated[
        Path,
        typer.Argument(help="Folder with train.spacy and dev.spacy"),
    ],
    config: Annotated[Path, typer.Option(help="Config to start from")] = FAST,
    trials: Annotated[int, typer.Option(help="Number of trials")] = 30,
    steps: Annotated[int, typer.Option(help="Most steps of a training")] = 2000,
    eval_frequency: Annotated[int, typer.Option(help="Steps per evaluation")] = 100,
    seeds: Annotated[int, typer.Option(help="Seeds of the final comparison")] = 3,
    output: Annotated[Path, typer.Option(help="Config with the result")] = Path(
        "tuned.cfg"
    ),
) -> None:
    """Search, compare the result with the defaults, and write it as a config."""
    fixed: dict[str, Any] = {
        "paths.train": str(corpus / "train.spacy"),
        "paths.dev": str(corpus / "dev.spacy"),
        "training.max_steps": steps,
        "training.eval_frequency": eval_frequency,
    }
    for path in (config, corpus / "train.spacy", corpus / "dev.spacy"):
        if not path.exists():
            raise typer.BadParameter(f"{path}: no such file")

    def objective(trial: optuna.Trial) -> float:
        def report(step: int, f1: float) -> None:
            trial.report(f1, step)
            if trial.should_prune():
                raise optuna.TrialPruned

        return best_f1(config, suggest(trial) | fixed, report)

    trials_path = output.with_suffix(".db")
    study = optuna.create_study(
        direction="maximize",
        # Stops a trial that is below the median of the earlier ones at the same step.
        pruner=optuna.pruners.MedianPruner(n_warmup_steps=steps // 4),
        # A search that is interrupted goes on where it was.
        storage=f"sqlite:///{trials_path}",
        study_name=output.stem,
        load_if_exists=True,
    )
    search = {"config": str(config), **fixed}
    if study.user_attrs.get("search", search) != search:
        raise typer.BadParameter(
            f"{trials_path} has the trials of another search, "
            f"{study.user_attrs['search']}: choose another --output"
        )
    study.set_user_attr("search", search)
    study.optimize(objective, n_trials=trials)
    found = suggest(optuna.trial.FixedTrial(study.best_params))

    # The best of many trials is partly the luckiest one: train both with other seeds.
    for name, settings in {"defaults": {}, "found": found}.items():
        f1 = [
            best_f1(config, settings | fixed | {"system.seed": seed})
            for seed in range(1, seeds + 1)
        ]
        each = " ".join(f"{value:.2%}" for value in f1)
        print(f"F1 on dev, {name}: mean {statistics.mean(f1):.2%} of {each}")
    load_config(config, found, interpolate=False).to_disk(output)
    print(f"{output}: {study.best_params}")


def best_f1(
    path: Path,
    settings: dict[str, Any],
    report: Callable[[int, float], None] = lambda step, f1: None,
) -> float:
    """Train a pipeline, and return its best F1 on the development data."""
    best = 0.0

    @registry.loggers("examples.Tune.v1")
    def make_logger() -> Callable:
        def log_step(info: dict[str, Any] | None) -> None:
            nonlocal best
            if info is not None:
                best = max(best, info["score"])
                report(info["step"], info["score"])

        return lambda nlp, stdout, stderr: (log_step, lambda: None)

    config = load_config(path, settings, interpolate=False)
    config["training"]["logger"] = {"@loggers": "examples.Tune.v1"}
    train(init_nlp(config), stdout=io.StringIO())
    return best


if __name__ == "__main__":
    typer.run(main)
