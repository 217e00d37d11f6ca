"""Settings of the component that may be changed at any time.

Each is checked when it is set, and stands in the config of the pipeline that the
component was made for, so that ``nlp.config`` tells the truth and a saved pipeline has
what was set.
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

# Less than this leaves an entity no text around it.
SMALLEST_WINDOW = 16

_NOTHING = object()

ValueT = TypeVar("ValueT")


class HasSettings(Protocol):
    """What settings belong to."""

    name: str
    #: By name, all that were set.
    settings: dict[str, Any]
    #: By name, all values that a config of the component has had: first that which the
    #: component was made with.
    configured: dict[str, list[Any]]


class Setting(Generic[ValueT]):
    """An attribute of a component that is checked when it is set.

    check (Callable[[Any], ValueT]): Gives the value in its plain Python type. It raises
        a ValueError that says what the value has to be.
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
        is_new = instance.settings.get(self.name, _NOTHING) != value
        instance.settings[self.name] = value
        config = pipe_config(instance)
        # What is as it was may stand there as a variable.
        if is_new and config is not None and self.name in config:
            config[self.name] = value
            if value not in instance.configured[self.name]:
                instance.configured[self.name].append(value)

    def checked(self, instance: HasSettings, value: Any) -> ValueT:
        """The value in its plain Python type.

        RAISES (ValueError): For a value that this setting cannot have.
        """
        return checked(instance.name, self.name, value, self.check)


def checked(
    component: str, setting: str, value: Any, check: Callable[[Any], ValueT]
) -> ValueT:
    """The value of a setting in its plain Python type.

    component (str): Name of the component, for the error.
    setting (str): Name of the setting, for the error.
    RAISES (ValueError): For a value that it cannot have.
    """
    try:
        return check(value)
    except ValueError as error:
        raise ValueError(f"[{component}] {setting} = {value!r} {error}") from None


def choice(*known: str) -> Callable[[Any], str]:
    """One of these strings."""

    def check(value: Any) -> str:
        if not isinstance(value, str) or value not in known:
            raise ValueError(f"is not one of {', '.join(map(repr, known))}.")
        return value

    return check


def flag(value: Any) -> bool:
    """True or False."""
    if not isinstance(value, bool | np.bool_):
        raise ValueError("is neither True nor False.")
    return bool(value)


def probability(value: Any) -> float:
    """A number from 0 to 1."""
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    if not is_number or not isfinite(value) or not 0 <= value <= 1:
        raise ValueError(
            "is not a probability: set it to a number from 0 (keep all entities) to 1."
        )
    return float(value)


def window_size(value: Any) -> int | None:
    """A number of units, or None."""
    if value is None:
        return None
    is_number = isinstance(value, Integral) and not isinstance(value, bool)
    if not is_number or value < SMALLEST_WINDOW:
        raise ValueError(
            f"leaves an entity no text around it, or is no whole number: set it to "
            f"{SMALLEST_WINDOW} or more, or to None (null) to read documents whole."
        )
    return int(value)


def spans_key(value: Any) -> str | None:
    """A key of ``doc.spans``, or None."""
    if value is None or is_text(value):
        return value
    raise ValueError("is no key of doc.spans: set it to a string, or None (null).")


def is_text(value: Any) -> TypeGuard[str]:
    """Is it a string that is not empty, and can be saved?"""
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

# Not an attribute of the component: a weak reference cannot be pickled.
_pipelines: "WeakKeyDictionary[Any, ref[Language]]" = WeakKeyDictionary()


def belongs_to(component: HasSettings, nlp: Language) -> None:
    """Remember the pipeline that a component was made for."""
    _pipelines[component] = ref(nlp)


def pipeline_of(component: HasSettings) -> tuple[Language, str] | None:
    """The pipeline that a component was made for, and its name there; None where it is
    in none, or not any more."""
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

    #: As it stands in the file.
    file: dict[str, Any]
    #: With what `spacy.load` was given.
    given: dict[str, Any]


def loaded_config(component: HasSettings, path: Path) -> LoadedConfig | None:
    """The config that a component is loaded with. None: it is not loaded with a
    pipeline.

    path (Path): The folder of the saved component.
    """
    found, in_file = pipeline_of(component), saved_config(path, interpolate=False)
    if found is None or in_file is None:
        return None
    nlp, name = found
    # spaCy has read it, too, before it loads components. The property `config` would
    # show what the components were made with, which need not be the same.
    config = getattr(nlp, "_config", {})
    return LoadedConfig(in_file, config.get("components", {}).get(name, in_file))


def saved_config(path: Path, *, interpolate: bool) -> dict[str, Any] | None:
    """The section of a component in the config of a saved pipeline; spaCy saves it
    before the components. None: there is none.

    path (Path): The folder of the saved component.
    interpolate (bool): Put in the values of variables.
    """
    config_path = path.parent / "config.cfg"
    if not config_path.is_file():
        return None
    try:
        config = Config().from_disk(config_path, interpolate=interpolate)
    except (ValueError, OSError):
        return None  # spaCy itself tells what is wrong
    section: dict[str, Any] | None = config.get("components", {}).get(path.name)
    return section


def chosen(
    component: HasSettings,
    saved: dict[str, Any],
    configured: dict[str, list[Any]],
    config: LoadedConfig | None,
    place: str,
) -> dict[str, Any]:
    """The settings of a component that is loaded. What was saved counts, but where a
    config says something else than it did then.

    component (HasSettings): The component.
    saved (dict[str, Any]): The settings that were saved.
    configured (dict[str, list[Any]]): What the config said then.
    config (LoadedConfig | None): What it says now.
    place (str): The file, for errors.
    RETURNS (dict[str, Any]): The settings, all of them checked.
    RAISES (ValueError): For a setting that is not known, or cannot have this value.
    """
    result: dict[str, Any] = {}
    for name, value in saved.items():
        setting = getattr(type(component), name, None)
        if not isinstance(setting, Setting):
            raise ValueError(
                f"{place}: the setting {name!r} is unknown here: it was saved by a "
                f"newer version, or the file is damaged"
            )
        value = setting.checked(component, value)
        before = [value, *configured.get(name, ())]
        made_with = component.configured[name][0]
        if config is None:
            default = signature(type(component)).parameters[name].default
            is_saved = made_with in (*before, default)
            result[name] = value if is_saved else made_with
            continue
        in_file, given = (part.get(name, made_with) for part in config)
        has_variable = any(isinstance(v, str) and "${" in v for v in (in_file, given))
        if has_variable:  # it was put in when the component was made
            in_file = given = made_with
        is_edited = given == in_file and in_file not in before
        if given != in_file or is_edited:
            value = setting.checked(component, given)
        if is_edited and not has_variable:
            warnings.warn(
                f"{place}: {name} was {before[-1]!r} when the pipeline was saved, and "
                f"is {given!r} in its config now: that is taken.",
                stacklevel=2,
            )
        result[name] = value
    return result
