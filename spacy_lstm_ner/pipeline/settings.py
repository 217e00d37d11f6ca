"""Settings of the component that can be changed at any time.

A setting is validated when it is set, and is also written to the config of the pipeline
that the component was created for, so that ``nlp.config`` and a saved pipeline have the
current value.
"""

import warnings
from collections.abc import Callable, Sequence
from inspect import signature
from math import isfinite
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Generic, NamedTuple, Protocol, TypeGuard, TypeVar, overload
from weakref import WeakKeyDictionary, ref

import numpy as np
from spacy.language import Language
from thinc.api import Config

from ..model.units import ALIGNMENT_MODES, UNITS
from ..tags import MODEL_SCHEMES

# A smaller window would have too little context around an entity.
MIN_WINDOW = 16
# More layers of entities of one label than any annotation has.
MAX_DEPTH = 16

_UNSET = object()

ValueT = TypeVar("ValueT")


class HasSettings(Protocol):
    """An object with settings."""

    name: str
    #: The value of each setting, by name.
    settings: dict[str, Any]
    #: All values that a setting has had in a config of the component, by name. The
    #: first one is the value that the component was created with.
    configured: dict[str, list[Any]]


class Setting(Generic[ValueT]):
    """An attribute of a component that is validated when it is set.

    check: Validates a value and returns it in its plain Python type. It raises a
        ValueError with what is wrong and which values are valid.
    """

    def __init__(self, check: Callable[[Any], ValueT]):
        self.check = check

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> "Setting[ValueT]": ...

    @overload
    def __get__(self, instance: HasSettings, owner: type) -> ValueT: ...

    def __get__(
        self, instance: HasSettings | None, owner: type
    ) -> "Setting[ValueT] | ValueT":
        return self if instance is None else instance.settings[self.name]

    def __set__(self, instance: HasSettings, value: Any) -> None:
        value = self.checked(instance, value)
        is_new = instance.settings.get(self.name, _UNSET) != value
        instance.settings[self.name] = value
        config = pipe_config(instance)
        # An unchanged value may be a variable in the config.
        if is_new and config is not None and self.name in config:
            config[self.name] = value
            if value not in instance.configured[self.name]:
                instance.configured[self.name].append(value)

    def checked(self, instance: HasSettings, value: Any) -> ValueT:
        """Validate a value, and return it in its plain Python type.

        RAISES (ValueError): If the value is not valid.
        """
        return checked(instance.name, self.name, value, self.check)


def checked(
    component: str, setting: str, value: Any, check: Callable[[Any], ValueT]
) -> ValueT:
    """Validate the value of a setting.

    component: Name of the component, for the error message.
    setting: Name of the setting, for the error message.
    value: The value.
    check: See `Setting`.
    RETURNS: The value in its plain Python type.
    RAISES (ValueError): If the value is not valid.
    """
    try:
        return check(value)
    except ValueError as error:
        raise ValueError(f"[{component}] {setting} = {value!r} {error}") from None


def choice(*known: str) -> Callable[[Any], str]:
    """Return a check for one of these strings."""

    def check(value: Any) -> str:
        if not isinstance(value, str) or value not in known:
            raise ValueError(f"is not one of {', '.join(map(repr, known))}.")
        return value

    return check


def optional_choice(*known: str) -> Callable[[Any], str | None]:
    """Return a check for one of these strings, or None."""
    one_of = choice(*known)

    def check(value: Any) -> str | None:
        return None if value is None else one_of(value)

    return check


def flag(value: Any) -> bool:
    """Check for True or False."""
    if not isinstance(value, bool | np.bool_):
        raise ValueError("is not a boolean: set it to True or False.")
    return bool(value)


def probability(value: Any) -> float:
    """Check for a number from 0 to 1."""
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    if not is_number or not isfinite(value) or not 0 <= value <= 1:
        raise ValueError(
            "is not a probability: set it to a number from 0 (keep all entities) to 1."
        )
    return float(value)


def probabilities(value: Any) -> dict[str, float]:
    """Check for a number from 0 to 1 for each of several labels; None is for none."""
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(map(is_text, value)):
        raise ValueError(
            'is not a dictionary from labels to numbers, such as {"PER": 0.5}.'
        )
    return {label: probability(number) for label, number in value.items()}


def depth(value: Any) -> int:
    """Check for a number of layers."""
    is_number = isinstance(value, Integral) and not isinstance(value, bool)
    if not is_number or not 1 <= value <= MAX_DEPTH:
        raise ValueError(
            f"is not a number of layers: set it to a whole number from 1 to "
            f"{MAX_DEPTH}."
        )
    return int(value)


def window_size(value: Any) -> int | None:
    """Check for a number of units, or None."""
    if value is None:
        return None
    is_number = isinstance(value, Integral) and not isinstance(value, bool)
    if not is_number or value < MIN_WINDOW:
        raise ValueError(
            f"is not a valid window: set it to a whole number of at least "
            f"{MIN_WINDOW}, or to None (null) to read documents whole."
        )
    return int(value)


def spans_key(value: Any) -> str | None:
    """Check for a key of ``doc.spans``, or None."""
    if value is None or is_text(value):
        return value
    raise ValueError(
        "is not a key of doc.spans: set it to a non-empty string, or None (null)."
    )


def required_spans_key(value: Any) -> str:
    """Check for a key of ``doc.spans``."""
    if is_text(value):
        return value
    raise ValueError("is not a key of doc.spans: set it to a non-empty string.")


def is_text(value: Any) -> TypeGuard[str]:
    """Return whether a value is a non-empty string that can be encoded as UTF-8."""
    if not isinstance(value, str) or not value:
        return False
    try:
        value.encode("utf8")
    except UnicodeEncodeError:
        return False
    return True


alignment_mode = choice(*ALIGNMENT_MODES)
unit = choice(*UNITS)
scheme = choice(*MODEL_SCHEMES)

# Not attributes of the components, since weak references cannot be pickled.
_pipelines: "WeakKeyDictionary[Any, ref[Language]]" = WeakKeyDictionary()


def set_pipeline(component: HasSettings, nlp: Language) -> None:
    """Register the pipeline that a component was created for."""
    _pipelines[component] = ref(nlp)


def pipeline_of(component: HasSettings) -> tuple[Language, str] | None:
    """The pipeline that a component was created for, and its name there. None if it is
    not in this pipeline, or not any longer."""
    reference = _pipelines.get(component)
    nlp = None if reference is None else reference()
    if nlp is not None:
        pipes: Sequence[tuple[str, object]] = nlp.components
        for name, pipe in pipes:
            if pipe is component:
                return nlp, name
    return None


def pipe_config(component: HasSettings) -> dict[str, Any] | None:
    """The section of a component in the config of its pipeline."""
    found = pipeline_of(component)
    return None if found is None else found[0].get_pipe_config(found[1])


class LoadedConfig(NamedTuple):
    """The section of a component in the config of a saved pipeline."""

    #: As it is in the file.
    file: dict[str, Any]
    #: With the overrides that were passed to `spacy.load`.
    given: dict[str, Any]


def loaded_config(component: HasSettings, path: Path) -> LoadedConfig | None:
    """The config that a component is loaded with.

    path: The folder of the saved component.
    RETURNS: The config; None if the component is loaded without its pipeline.
    """
    found, in_file = pipeline_of(component), saved_config(path, interpolate=False)
    if found is None or in_file is None:
        return None
    nlp, name = found
    # spaCy has read the file before it loads components. The property `config` would
    # return the values that the components were created with, which may differ.
    config = getattr(nlp, "_config", {})
    return LoadedConfig(in_file, config.get("components", {}).get(name, in_file))


def saved_config(path: Path, *, interpolate: bool) -> dict[str, Any] | None:
    """The section of a component in the config of a saved pipeline. spaCy saves the
    config before the components.

    path: The folder of the saved component.
    interpolate: Replace variables by their values.
    RETURNS: The section, if there is one.
    """
    config_path = path.parent / "config.cfg"
    if not config_path.is_file():
        return None
    try:
        config = Config().from_disk(config_path, interpolate=interpolate)
    except (ValueError, OSError):
        return None  # spaCy reports what is wrong
    section: dict[str, Any] | None = config.get("components", {}).get(path.name)
    return section


def resolve(
    component: HasSettings,
    saved: dict[str, Any],
    configured: dict[str, list[Any]],
    config: LoadedConfig | None,
    place: str,
) -> dict[str, Any]:
    """Determine the settings of a component that is loaded: the saved values, except
    where the config has been changed since.

    component: The component.
    saved: The saved settings.
    configured: The values in the config when the component was saved.
    config: The config now.
    place: The file, for error messages.
    RETURNS: The settings, validated.
    RAISES (ValueError): If a setting is unknown, or its value is not valid.
    """
    result: dict[str, Any] = {}
    for name, value in saved.items():
        setting = getattr(type(component), name, None)
        if not isinstance(setting, Setting):
            raise ValueError(
                f"{place}: unknown setting {name!r}: it was saved by a newer version, "
                f"or the file is damaged."
            )
        value = setting.checked(component, value)
        before = [value, *configured.get(name, ())]
        created_with = component.configured[name][0]
        if config is None:
            default = signature(type(component)).parameters[name].default
            default = setting.checked(component, default)
            is_saved = created_with in (*before, default)
            result[name] = value if is_saved else created_with
            continue
        in_file, given = (part.get(name, created_with) for part in config)
        has_variable = any(isinstance(v, str) and "${" in v for v in (in_file, given))
        if has_variable:  # it was replaced when the component was created
            in_file = given = created_with
        is_edited = given == in_file and in_file not in before
        if given != in_file or is_edited:
            value = setting.checked(component, given)
        if is_edited and not has_variable:
            warnings.warn(
                f"{place}: {name} was {before[-1]!r} when the pipeline was saved, but "
                f"is {given!r} in its config now, which is used.",
                stacklevel=2,
            )
        result[name] = value
    return result
