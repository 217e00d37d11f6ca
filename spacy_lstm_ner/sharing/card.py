"""The model card of a pipeline: a README.md with the metadata that hubs read.

The card is made of the meta.json of the pipeline, so that it can be made again from a
package. What spaCy has no key for is in `CARD_KEY`.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import srsly
from jinja2 import Environment, PackageLoader
from spacy.language import Language

from ..evaluation.saved_scores import entity_scores_of, read_scores, scored_group
from ..evaluation.significance import decimals, interval_text, percent
from ..pipeline.loading import load_pipeline
from ..util.atomic import AtomicSet
from ..util.text import escaped

#: The key of meta.json for what only the card uses.
CARD_KEY = "model_card"
#: The key of meta.json for the scores, as spaCy calls it.
SCORES_KEY = "performance"
_LIBRARY = "spacy-lstm-ner"

# The settings of `about`: those of meta.json, and those of the card with their types.
_META_SETTINGS = ("description", "license", "author", "email", "url")
_CARD_SETTINGS: dict[str, type] = {
    "data": list,
    "labels": dict,
    "examples": list,
    "evaluated_on": str,
    "machine": str,
    "intended_use": str,
    "limits": list,
    "citation": str,
}
_DATA_KEYS = ("name", "url", "license", "author", "description")
# What spaCy allows in an entry of `sources`.
_SOURCE_KEYS = ("name", "url", "license", "author")

# Common licenses that the hub knows by this name; any other is "other" with its name.
_HUB_LICENSES = {
    *("apache-2.0", "mit", "isc", "bsd-2-clause", "bsd-3-clause", "mpl-2.0"),
    *("gpl-2.0", "gpl-3.0", "lgpl-2.1", "lgpl-3.0", "agpl-3.0", "unlicense"),
    *("cc0-1.0", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0"),
    *("cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0"),
    *("cc-by-nd-4.0", "cc-by-nc-nd-4.0", "odbl", "odc-by", "pddl"),
}
_MARKUP = re.compile(r"([\\`*\[\]<|~]|\b_|_\b)")


def write_card(
    model: str | Path,
    *,
    scores: str | Path | None = None,
    about: str | Path | Mapping[str, Any] | None = None,
    name: str | None = None,
    version: str | None = None,
) -> Path:
    """Write the model card of a saved pipeline, and what it says to meta.json.

    Both files are written together or not at all. `spacy package` makes the card the
    README of the package.

    model: The folder of the pipeline.
    scores: The JSON file that `evaluate` has written. None: those in meta.json stay.
    about: What cannot be computed, as a mapping or a YAML file: see `_META_SETTINGS`
        and `_CARD_SETTINGS`. What it leaves out stays as it is in meta.json.
    name: The name of the pipeline in meta.json, without its language. None: unchanged.
    version: Its version in meta.json. None: unchanged.
    RETURNS: The path of the card.
    RAISES (OSError, ValueError): If a file cannot be used.
    """
    folder = Path(model)
    if not folder.is_dir():
        raise OSError(f"{folder}: no such folder. Give the folder of a pipeline.")
    # Before the pipeline, whose loading takes longer.
    settings = _read_about(about)
    performance = read_scores(Path(scores)) if scores else None
    nlp = load_pipeline(folder)
    meta: dict[str, Any] = srsly.read_json(folder / "meta.json")
    if name is not None:
        meta["name"] = name
    if version is not None:
        meta["version"] = version
    if performance is not None:
        meta[SCORES_KEY] = performance
    _add_settings(meta, settings)
    meta[CARD_KEY] = {
        **(meta.get(CARD_KEY) or {}),
        "parameters": count_parameters(nlp),
        "size": sum(
            path.stat().st_size
            for path in folder.rglob("*")
            if path.is_file() and path.name not in ("README.md", "meta.json")
        ),
    }
    # As `spacy package` adds it, so that the card names it before.
    requirements = list(meta.get("requirements") or [])
    if not any(requirement.startswith(_LIBRARY) for requirement in requirements):
        meta["requirements"] = [*requirements, *_own_requirement()]
    with AtomicSet() as files:
        srsly.write_json(files.add(folder / "meta.json"), meta)
        card = files.add(folder / "README.md")
        card.write_text(model_card(meta), "utf8", newline="\n")
    return folder / "README.md"


def model_card(meta: Mapping[str, Any]) -> str:
    """Return the model card of a pipeline, as Markdown with YAML front matter.

    meta: The content of its meta.json.
    RETURNS: The card. It tells to install the file `wheel_name(meta)`; whoever knows
        its address can replace that line.
    """
    environment = Environment(
        loader=PackageLoader(__package__, "."),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        # Markdown: `text` escapes what is not markup.
        autoescape=False,
    )
    environment.filters["text"] = plain_text
    environment.filters["code"] = lambda value: json.dumps(value, ensure_ascii=False)
    about = meta.get(CARD_KEY) or {}
    scores = entity_scores_of(meta.get(SCORES_KEY) or {})
    labels = sorted(
        {str(label) for each in (meta.get("labels") or {}).values() for label in each}
    )
    card = environment.get_template("card.md").render(
        front_matter=srsly.yaml_dumps(front_matter(meta)).strip(),
        name=package_name(meta),
        wheel=wheel_name(meta),
        meta=meta,
        about=about,
        labels=labels,
        facts=_facts(meta),
        score_rows=_score_rows(scores),
        scores=scores,
        spans_key=scored_group(meta.get(SCORES_KEY) or {}),
        data=_data(meta),
        examples=about.get("examples") or ["…"],
        percent=percent,
    )
    return re.sub(r"\n{3,}", "\n\n", card)


def front_matter(meta: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metadata of a card for hubs."""
    license = str(meta.get("license") or "")
    known = license.lower() in _HUB_LICENSES
    result: dict[str, Any] = {
        "tags": ["spacy", "token-classification", "named-entity-recognition"],
        "language": [str(meta["lang"])],
        "library_name": "spacy",
        "pipeline_tag": "token-classification",
    }
    if license:
        result["license"] = license.lower() if known else "other"
    if license and not known:
        result["license_name"] = license
    scores = entity_scores_of(meta.get(SCORES_KEY) or {})
    names = {"p": ("Precision", "precision"), "r": ("Recall", "recall")}
    names["f"] = ("F1", "f1")
    metrics = [
        {"name": f"NER {title}", "type": type, "value": round(scores[f"ents_{x}"], 6)}
        for x, (title, type) in names.items()
        if isinstance(scores.get(f"ents_{x}"), float)
    ]
    if metrics:
        # The hub requires that the data has a name and a type.
        about = meta.get(CARD_KEY) or {}
        data = ", ".join(item["name"] for item in _data(meta)) or "development data"
        result["model-index"] = [
            {
                "name": package_name(meta),
                "results": [
                    {
                        "task": {"name": "NER", "type": "token-classification"},
                        "dataset": {
                            "name": str(about.get("evaluated_on") or data),
                            "type": re.sub(r"\W+", "-", data.lower()).strip("-"),
                        },
                        "metrics": metrics,
                    }
                ],
            }
        ]
    return result


def package_name(meta: Mapping[str, Any]) -> str:
    """Return the name of the package that `spacy package` makes of a pipeline."""
    name, lang = str(meta["name"]), str(meta["lang"])
    return name if name.startswith(f"{lang}_") else f"{lang}_{name}"


def wheel_name(meta: Mapping[str, Any]) -> str:
    """Return the name of the wheel that `spacy package` makes of a pipeline."""
    return f"{package_name(meta)}-{meta['version']}-py3-none-any.whl"


def plain_text(value: object) -> str:
    """Escape text that is not meant as Markdown, as in a cell of a table."""
    return _MARKUP.sub(r"\\\1", escaped(value))


def code_span(value: object) -> str:
    """Text in the font of code, or only escaped if code cannot contain it."""
    text = escaped(value)
    return plain_text(text) if set("`|") & set(text) else f"`{text}`"


def count_parameters(nlp: Language) -> int:
    """Return how many numbers the models of a pipeline have learned."""
    return sum(
        int(node.get_param(name).size)
        for _, component in nlp.pipeline
        if hasattr(component, "model")
        for node in component.model.walk()
        for name in node.param_names
        if node.has_param(name)
    )


def _own_requirement() -> list[str]:
    """How `spacy package` requires this package."""
    from spacy.util import get_minor_version_range, get_package_version

    version = get_package_version(_LIBRARY)
    return [f"{_LIBRARY}{get_minor_version_range(version)}"] if version else []


def _read_about(about: str | Path | Mapping[str, Any] | None) -> dict[str, Any]:
    """RAISES (OSError, ValueError): If a setting is unknown or has the wrong type."""
    if about is None:
        return {}
    source = "about"
    if isinstance(about, str | Path):
        source = str(about)
        if not Path(about).is_file():
            raise OSError(f"{about}: no such file")
        try:
            about = srsly.read_yaml(Path(about))
        except Exception as error:
            raise ValueError(f"{source} is not YAML: {error}") from error
    if not isinstance(about, Mapping):
        raise ValueError(f"{source} has to be a mapping of settings to values.")
    types = {**dict.fromkeys(_META_SETTINGS, str), **_CARD_SETTINGS}
    for key, value in about.items():
        if key not in types:
            raise ValueError(
                f"{source}: unknown setting {key!r}. Known are {', '.join(types)}."
            )
        if not isinstance(value, types[key]):
            raise ValueError(
                f"{source}: {key} has to be a {types[key].__name__}, not {value!r}."
            )
    for item in about.get("data", []):
        if (
            not isinstance(item, Mapping)
            or "name" not in item
            or not item.keys() <= set(_DATA_KEYS)
            or not all(isinstance(value, str) for value in item.values())
        ):
            raise ValueError(
                f"{source}: an entry of data has to have a name, and may have "
                f"{', '.join(_DATA_KEYS[1:])}, all of them text; not {item!r}."
            )
    return dict(about)


def _add_settings(meta: dict[str, Any], settings: Mapping[str, Any]) -> None:
    """Add `about` to the content of meta.json. Data sets are sources, too."""
    card = dict(meta.get(CARD_KEY) or {})
    for key, value in settings.items():
        if key in _META_SETTINGS:
            meta[key] = value
        else:
            card[key] = value
    meta[CARD_KEY] = card
    sources = [item for item in meta.get("sources") or [] if isinstance(item, Mapping)]
    for item in settings.get("data", []):
        source = {key: item[key] for key in _SOURCE_KEYS if key in item}
        sources = [each for each in sources if each.get("name") != source["name"]]
        sources.append(source)
    if sources:
        meta["sources"] = sources


def _data(meta: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return (meta.get(CARD_KEY) or {}).get("data") or []


def _facts(meta: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The table at the top of the card."""
    about = meta.get(CARD_KEY) or {}
    speed = (meta.get(SCORES_KEY) or {}).get("speed")
    size = about.get("size")
    machine = f" on {plain_text(about['machine'])}" if "machine" in about else ""
    rows = [
        ("Version", plain_text(meta["version"])),
        ("Language", plain_text(meta["lang"])),
        ("Components", ", ".join(map(code_span, meta.get("pipeline") or []))),
        ("spaCy", code_span(meta.get("spacy_version") or "")),
        ("Requires", ", ".join(map(code_span, meta.get("requirements") or []))),
        ("Parameters", f"{about['parameters']:,}" if "parameters" in about else ""),
        ("Size", f"{size / 1e6:.1f} MB" if size else ""),
        ("Speed", f"{_round(speed)} tokens per second{machine}" if speed else ""),
        ("License", plain_text(meta.get("license") or "")),
        ("Author", plain_text(meta.get("author") or "")),
        ("Address", plain_text(meta.get("url") or "")),
    ]
    return [(title, value) for title, value in rows if value]


def _round(number: float) -> str:
    """To two digits that mean something; speeds vary by more."""
    return f"{float(f'{number:.2g}'):,.0f}"


def _score_rows(scores: Mapping[str, Any]) -> list[list[str]]:
    """Name, precision, recall, F1 and its interval, by label and overall."""
    intervals = scores.get("ents_intervals") or {}
    of_type = intervals.get("per_type") or {}
    overall = {x: scores.get(f"ents_{x}") for x in "prf"}
    per_type = sorted((scores.get("ents_per_type") or {}).items())
    rows = [
        *(
            (plain_text(label), prf, of_type.get(label) or {})
            for label, prf in per_type
        ),
        ("**all**", overall, intervals),
    ]
    return [
        [
            name,
            *(percent(prf.get(x), decimals(interval.get(x))) for x in "prf"),
            interval_text(interval.get("f")),
        ]
        for name, prf, interval in rows
        if any(value is not None for value in prf.values())
    ]
