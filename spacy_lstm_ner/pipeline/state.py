"""What a saved component is, checked before it is used.

A component is saved as two files, or two parts of a byte string. `model` has the
weights, as Thinc saves them. `cfg` is JSON:

    labels, scheme, unit, temperature
        what belongs to the weights
    settings
        what may be changed at any time, and `configured`, other values that a config
        of the pipeline has or may have
    digest
        the SHA-256 of the rest of `cfg`, and of `model`

Neither spaCy nor Thinc knows whether what they read is what was saved. So a flipped bit
would change a weight, and what is found, in silence.
"""

import json
from dataclasses import asdict, dataclass
from functools import lru_cache
from hashlib import sha256
from math import isfinite
from numbers import Real
from typing import Any

import numpy as np
from thinc.api import Model

from ..exceptions import DamagedComponent
from ..layers.checks import LAYER_CHECKS
from ..model.units import UNITS, Units
from ..tags import TagSet, n_tags
from .settings import is_text, scheme, unit

_SETTINGS = ("settings", "configured")
_KEYS = {"labels", "scheme", "unit", "temperature", "digest", *_SETTINGS}


@dataclass
class State:
    """What belongs to the weights of a component, and is saved with them.

    labels (list[str]): The entity labels, in the order of their tags.
    scheme (str): The tag scheme.
    unit (str): What the model reads: "char" or "token".
    temperature (float): All scores are divided by it before they become
        probabilities, see calibration.py.
    """

    labels: list[str]
    scheme: str
    unit: str
    temperature: float = 1.0

    @property
    def tags(self) -> TagSet:
        """The T tags that the model scores."""
        return tag_set(tuple(self.labels), self.scheme)

    @property
    def n_tags(self) -> int:
        """T, without making the tags, which takes memory in T²."""
        return n_tags(self.labels, self.scheme)

    @property
    def units(self) -> Units:
        """How a Doc is split into what the model reads."""
        return UNITS[self.unit]


@lru_cache(maxsize=16)
def tag_set(labels: tuple[str, ...], scheme: str) -> TagSet:
    """The tags of labels, from a cache."""
    return TagSet(labels, scheme)


def saved_cfg(
    state: State,
    settings: dict[str, Any],
    configured: dict[str, list[Any]],
    model: bytes | None,
) -> bytes:
    """The file `cfg`: see above.

    state (State): What belongs to the weights.
    settings (dict[str, Any]): All settings.
    configured (dict[str, list[Any]]): The values that they have, or may have, in the
        config of the pipeline.
    model (bytes | None): The file `model`; None where it is not saved.
    """
    data = {
        **asdict(state),
        "settings": settings,
        "configured": {
            name: others
            for name, values in configured.items()
            if name in settings
            and (others := [value for value in values if value != settings[name]])
        },
    }
    digest = {"cfg": _digest_of_cfg(data)}
    if model is not None:
        digest["model"] = sha256(model).hexdigest()
    # `srsly` would round numbers.
    text = json.dumps({**data, "digest": digest}, ensure_ascii=False, indent=2)
    return text.encode()


def read_cfg(data: bytes, place: str) -> dict[str, Any]:
    """Read the file `cfg`, and check all of it.

    data (bytes): What is in it.
    place (str): What it is called in errors.
    RETURNS (dict[str, Any]): "labels", "scheme", "unit", "temperature"; and, but for
        what was saved before they were, "settings", "configured" and "digest".
    RAISES (DamagedComponent): For anything that a component cannot be.
    """

    def refuse(why: str) -> DamagedComponent:
        return DamagedComponent(f"{place}: {why}")

    try:
        cfg = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise refuse(f"this is not JSON, the file is damaged: {error}") from None
    if not isinstance(cfg, dict):
        raise refuse(
            f"a {type(cfg).__name__}, where the parts of a component should be"
        )
    if "digest" in cfg:
        digest = cfg["digest"]
        if not isinstance(digest, dict) or digest.get("cfg") != _digest_of_cfg(cfg):
            raise refuse(
                "its content is not what was saved (another digest): the file is "
                "damaged, or was changed by hand. Take it from a copy, or train again."
            )
    if unknown := sorted(cfg.keys() - _KEYS):
        raise refuse(
            f"{unknown[0]!r} is unknown here: it was saved by a newer version, or the "
            f"file is damaged"
        )
    if any(name in cfg for name in _SETTINGS) and "digest" not in cfg:
        raise refuse("there is no 'digest': the file is damaged, or changed by hand")
    for name in ("labels", "scheme", "unit"):
        if name not in cfg:
            raise refuse(f"{name!r} is missing")
    labels = cfg["labels"]
    if not isinstance(labels, list) or not all(map(is_text, labels)):
        raise refuse(f"labels = {labels!r:.80} is no list of strings, none empty")
    if len(set(labels)) < len(labels):
        twice = next(label for label in labels if labels.count(label) > 1)
        raise refuse(f"labels has {twice!r} twice")
    for name, check in (("scheme", scheme), ("unit", unit)):
        try:
            check(cfg[name])
        except ValueError as error:
            raise refuse(f"{name} = {cfg[name]!r:.80} {error}") from None
    temperature = cfg.setdefault("temperature", 1.0)
    is_number = isinstance(temperature, Real) and not isinstance(temperature, bool)
    if not is_number or not isfinite(temperature) or temperature <= 0:
        raise refuse(f"temperature = {temperature!r:.80} is no number above 0")
    for name in _SETTINGS:
        if not isinstance(cfg.setdefault(name, {}), dict):
            raise refuse(f"{name} = {cfg[name]!r:.80} is no object")
    if not all(isinstance(values, list) for values in cfg["configured"].values()):
        raise refuse(f"configured = {cfg['configured']!r:.80} has what is no list")
    return cfg


def check_model_bytes(data: bytes, cfg: dict[str, Any], place: str) -> None:
    """RAISES (DamagedComponent): Where weights are not those that were saved with
    `cfg`."""
    expected = cfg.get("digest", {}).get("model")
    if expected is not None and expected != sha256(data).hexdigest():
        raise DamagedComponent(
            f"{place}: these are not the weights that were saved with the component "
            f"(another digest): the file is damaged or incomplete, or belongs to "
            f"another one. Take it from a copy, or train again."
        )


def load_model(model: Model, data: bytes, place: str) -> None:
    """Load weights, and check that they fit the model.

    model (Model): The model, as the config of the pipeline describes it.
    data (bytes): The file `model`.
    place (str): What it is called in errors.
    RAISES (DamagedComponent): For weights of another model, or of no model.
    """
    nodes = [(node, node.name, set(node.param_names)) for node in model.walk()]
    try:
        model.from_bytes(data)
    except Exception as error:
        # msgpack, NumPy and Thinc raise whatever they stumble over.
        said = f"{type(error).__name__}: {error}".rstrip(": ")
        raise DamagedComponent(
            f"{place}: these are not the weights of the model that the config "
            f"describes, or the file is damaged: {said}"
        ) from None
    for node, name, params in nodes:
        try:
            if set(node.param_names) != params:
                raise DamagedComponent(f"they are not of the layer {name}")
            _check_params(node, name)
            if check := LAYER_CHECKS.get(name):
                check(node)
        except ValueError as error:
            raise DamagedComponent(f"{place}: {error}") from None


def check_labels_fit(model: Model, cfg: dict[str, Any], place: str) -> None:
    """RAISES (DamagedComponent): Where there are weights for more or fewer tags than
    the labels make."""
    crf = model.get_ref("crf")
    if not crf.has_param("transitions"):
        return
    nO = crf.get_dim("nO")
    wanted = n_tags(cfg["labels"], cfg["scheme"])
    if nO != wanted:
        raise DamagedComponent(
            f"{place}: {len(cfg['labels'])} labels in the scheme {cfg['scheme']} make "
            f"{wanted} tags, but the weights are for {nO}"
        )


def _check_params(node: Model, layer: str) -> None:
    """Weights are float32, in the shapes that the sizes of the layer say."""
    for name in node.param_names:
        if not node.has_param(name):
            continue
        array = node.get_param(name)
        if array.dtype != np.float32:
            raise DamagedComponent(
                f"the parameter {name} of {layer} is {array.dtype}: weights are float32"
            )
        if (dims := _SHAPES.get((layer, name))) is not None:
            shape = tuple(node.maybe_get_dim(dim) for dim in dims)
            if array.shape != shape:
                raise DamagedComponent(
                    f"the parameter {name} of {layer} has the shape {array.shape}, and "
                    f"should have {shape}"
                )


# Of the layers whose sizes tell the shapes of their parameters.
_SHAPES: dict[tuple[str, str], tuple[str, ...]] = {
    ("linear", "W"): ("nO", "nI"),
    ("linear", "b"): ("nO",),
    ("hashembed", "E"): ("nV", "nO"),
    ("crf", "starts"): ("nO",),
    ("crf", "transitions"): ("nO", "nO"),
    ("crf", "ends"): ("nO",),
}


def _digest_of_cfg(cfg: dict[str, Any]) -> str:
    rest = {name: value for name, value in cfg.items() if name != "digest"}
    canonical = json.dumps(rest, sort_keys=True, separators=(",", ":"))
    return sha256(canonical.encode()).hexdigest()
