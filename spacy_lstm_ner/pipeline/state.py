"""The state of a component, and the validation of what is loaded.

A component is saved as two files, or two parts of a byte string. `model` contains the
weights, as saved by Thinc. `cfg` is JSON:

    labels, scheme, unit, temperature
        the state, which belongs to the weights
    depth
        the same, of `lstm_nested_ner`
    settings
        the settings, which can be changed at any time
    configured
        other values that settings have, or may have, in the config of the pipeline
    digest
        the SHA-256 of the rest of `cfg`, and of `model`

Neither spaCy nor Thinc verifies that the data that it reads is the data that was saved.
Without the digest, a flipped bit would silently change a weight, and the predictions.
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
_KEYS = {"labels", "scheme", "unit", "temperature", "depth", "digest", *_SETTINGS}
# The label in the tags of a CRF that has a label to itself.
_ENTITY = "entity"


@dataclass
class State:
    """The part of a component that belongs to its weights, and is saved with them.

    labels: The entity labels, in the order of their tags.
    scheme: The tag scheme.
    unit: What the model reads: "char" or "token".
    temperature: All scores are divided by it before they become probabilities, see
        calibration.py.
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
        """T, without creating the tags, which takes O(T²) memory."""
        return n_tags(self.labels, self.scheme)

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the tags that the emission scores are for."""
        return tuple(self.tags.names)

    @property
    def units(self) -> Units:
        """How a Doc is split into what the model reads."""
        return UNITS[self.unit]


@dataclass
class NestedState(State):
    """The state of a component with a CRF for each label, see layers/label_crfs.py.

    depth: How many CRFs each label has: one for the outermost entities, one for those
        inside of them, and so on. CRF ``k * depth + d`` is for the entities of label k
        that are inside of d others.
    """

    depth: int = 2

    @property
    def tags(self) -> TagSet:
        """The T tags of each CRF, which know of one label."""
        return tag_set((_ENTITY,), self.scheme)

    @property
    def n_tags(self) -> int:
        """The number of emission scores of a unit, K · T."""
        return len(self.labels) * self.depth * len(self.tags)

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the tags that the emission scores are for."""
        return tuple(
            name.replace(_ENTITY, label)
            for label in self.labels
            for _ in range(self.depth)
            for name in self.tags.names
        )


@lru_cache(maxsize=16)
def tag_set(labels: tuple[str, ...], scheme: str) -> TagSet:
    """The tag set of labels, cached."""
    return TagSet(labels, scheme)


def saved_cfg(
    state: State,
    settings: dict[str, Any],
    configured: dict[str, list[Any]],
    model: bytes | None,
) -> bytes:
    """Create the content of the file `cfg`, see above.

    state: The state.
    settings: All settings.
    configured: The values that they have, or may have, in the config of the pipeline.
    model: The content of the file `model`; None if it is not saved.
    RETURNS: The content of the file.
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
    # `srsly` would round floats.
    text = json.dumps({**data, "digest": digest}, ensure_ascii=False, indent=2)
    return text.encode()


def read_cfg(data: bytes, place: str) -> dict[str, Any]:
    """Parse the file `cfg`, and validate its content.

    data: The content of the file.
    place: The name of the file in error messages.
    RETURNS: "labels", "scheme", "unit", "temperature", "settings" and "configured"; and
        "digest", which earlier versions did not save.
    RAISES (DamagedComponent): If the content is not valid.
    """

    def invalid(reason: str) -> DamagedComponent:
        return DamagedComponent(f"{place}: {reason}")

    try:
        cfg = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise invalid(f"this is not JSON; the file is damaged: {error}") from None
    if not isinstance(cfg, dict):
        raise invalid(f"this is not a JSON object, but a {type(cfg).__name__}")
    if "digest" in cfg:
        digest = cfg["digest"]
        if not isinstance(digest, dict) or digest.get("cfg") != _digest_of_cfg(cfg):
            raise invalid(
                "the digest does not match the content: the file is damaged, or was "
                "edited by hand. Restore it from a backup, or train again."
            )
    if unknown := sorted(cfg.keys() - _KEYS):
        raise invalid(
            f"unknown key {unknown[0]!r}: it was saved by a newer version, or the file "
            f"is damaged"
        )
    if any(name in cfg for name in _SETTINGS) and "digest" not in cfg:
        raise invalid("'digest' is missing: the file is damaged, or was edited by hand")
    for name in ("labels", "scheme", "unit"):
        if name not in cfg:
            raise invalid(f"{name!r} is missing")
    labels = cfg["labels"]
    if not isinstance(labels, list) or not all(map(is_text, labels)):
        raise invalid(f"labels = {labels!r:.80} is not a list of non-empty strings")
    if len(set(labels)) < len(labels):
        repeated = next(label for label in labels if labels.count(label) > 1)
        raise invalid(f"labels contains {repeated!r} more than once")
    for name, check in (("scheme", scheme), ("unit", unit)):
        try:
            check(cfg[name])
        except ValueError as error:
            raise invalid(f"{name} = {cfg[name]!r:.80} {error}") from None
    depth = cfg.get("depth", 1)
    if not isinstance(depth, int) or isinstance(depth, bool) or depth < 1:
        raise invalid(f"depth = {depth!r:.80} is not a whole number of at least 1")
    temperature = cfg.setdefault("temperature", 1.0)
    is_number = isinstance(temperature, Real) and not isinstance(temperature, bool)
    if not is_number or not isfinite(temperature) or temperature <= 0:
        raise invalid(f"temperature = {temperature!r:.80} is not a positive number")
    for name in _SETTINGS:
        if not isinstance(cfg.setdefault(name, {}), dict):
            raise invalid(f"{name} = {cfg[name]!r:.80} is not an object")
    if not all(isinstance(values, list) for values in cfg["configured"].values()):
        raise invalid(
            f"configured = {cfg['configured']!r:.80} has a value that is not a list"
        )
    return cfg


def check_model_bytes(data: bytes, cfg: dict[str, Any], place: str) -> None:
    """RAISES (DamagedComponent): If the weights are not the ones that were saved with
    `cfg`."""
    expected = cfg.get("digest", {}).get("model")
    if expected is not None and expected != sha256(data).hexdigest():
        raise DamagedComponent(
            f"{place}: these are not the weights that were saved with the component, "
            f"as the digest does not match: the file is damaged or incomplete, or "
            f"belongs to another component. Restore it from a backup, or train again."
        )


def load_model(model: Model, data: bytes, place: str) -> None:
    """Load weights, and check that they fit the model.

    model: The model that the config of the pipeline describes.
    data: The content of the file `model`.
    place: The name of the file in error messages.
    RAISES (DamagedComponent): If they are weights of another model, or not weights.
    """
    nodes = [(node, node.name, set(node.param_names)) for node in model.walk()]
    try:
        model.from_bytes(data)
    except Exception as error:
        # msgpack, NumPy and Thinc raise exceptions of many types.
        reason = f"{type(error).__name__}: {error}".rstrip(": ")
        raise DamagedComponent(
            f"{place}: these are not the weights of the model that the config "
            f"describes, or the file is damaged: {reason}"
        ) from None
    for node, name, params in nodes:
        try:
            if set(node.param_names) != params:
                raise DamagedComponent(
                    f"these are not the parameters of the layer {name}"
                )
            _check_params(node, name)
            if check := LAYER_CHECKS.get(name):
                check(node)
        except ValueError as error:
            raise DamagedComponent(f"{place}: {error}") from None


def check_labels_fit(model: Model, cfg: dict[str, Any], place: str) -> None:
    """RAISES (DamagedComponent): If the weights are for another number of tags than
    that of the labels."""
    crf = model.get_ref("crf")
    if not crf.has_param("transitions"):
        return
    nO = crf.get_dim("nO")
    expected = n_tags(cfg["labels"], cfg["scheme"])
    if crf.name == "label_crfs":
        labels, depth = len(cfg["labels"]), cfg.get("depth", 1)
        expected = labels * depth * n_tags([_ENTITY], cfg["scheme"])
    if nO != expected:
        raise DamagedComponent(
            f"{place}: {len(cfg['labels'])} labels in the scheme {cfg['scheme']} give "
            f"{expected} tags, but the weights are for {nO}"
        )


def _check_params(node: Model, layer: str) -> None:
    """RAISES (DamagedComponent): If a parameter is not float32, or does not have the
    shape that the dimensions of the layer require."""
    for name in node.param_names:
        if not node.has_param(name):
            continue
        array = node.get_param(name)
        if array.dtype != np.float32:
            raise DamagedComponent(
                f"the parameter {name} of {layer} is {array.dtype}, not float32"
            )
        if (dims := _SHAPES.get((layer, name))) is not None:
            shape = tuple(node.maybe_get_dim(dim) for dim in dims)
            if array.shape != shape:
                raise DamagedComponent(
                    f"the parameter {name} of {layer} has the shape {array.shape}, not "
                    f"{shape}"
                )


# The shapes of parameters, for layers whose dimensions determine them.
_SHAPES: dict[tuple[str, str], tuple[str, ...]] = {
    ("linear", "W"): ("nO", "nI"),
    ("linear", "b"): ("nO",),
    ("hashembed", "E"): ("nV", "nO"),
    ("crf", "starts"): ("nO",),
    ("crf", "transitions"): ("nO", "nO"),
    ("crf", "ends"): ("nO",),
    ("label_crfs", "starts"): ("nC", "nT"),
    ("label_crfs", "transitions"): ("nC", "nT", "nT"),
    ("label_crfs", "ends"): ("nC", "nT"),
}


def _digest_of_cfg(cfg: dict[str, Any]) -> str:
    rest = {name: value for name, value in cfg.items() if name != "digest"}
    canonical = json.dumps(rest, sort_keys=True, separators=(",", ":"))
    return sha256(canonical.encode()).hexdigest()
