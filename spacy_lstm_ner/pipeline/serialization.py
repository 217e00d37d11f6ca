"""A trainable component that saves its settings and its state with its weights."""

import warnings
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import srsly
from spacy import util
from spacy.pipeline import TrainablePipe
from spacy.vocab import Vocab
from thinc.api import Model

from ..exceptions import DamagedComponent
from . import settings
from .settings import LoadedConfig
from .state import (
    State,
    check_labels_fit,
    check_model_bytes,
    load_model,
    read_cfg,
    saved_cfg,
)


class SerializablePipe(TrainablePipe):  # type: ignore[misc]  # untyped Cython
    """The part of a component that is saved and loaded: weights, `State`, settings and
    vocab. A saved component is described in state.py."""

    vocab: Vocab
    name: str
    model: Model
    #: What belongs to the weights.
    state: State
    #: The value of each setting, by name.
    settings: dict[str, Any]
    #: All values that a setting has had in a config of the component, by name. The
    #: first one is the value that the component was created with.
    configured: dict[str, list[Any]]

    @property
    def cfg(self) -> dict[str, Any]:
        """The state as a dictionary, a copy. It can be set, to values of the state and
        of any settings, as `spacy find-threshold` does."""
        return asdict(self.state)

    @cfg.setter
    def cfg(self, values: dict[str, Any]) -> None:
        state = asdict(self.state)
        found = {name: values.get(name, state[name]) for name in state}
        self.state = type(self.state)(**found)
        for name in values.keys() - state.keys():
            if not isinstance(getattr(type(self), name, None), settings.Setting):
                raise ValueError(f"[{self.name}] cfg has an unknown key {name!r}.")
            setattr(self, name, values[name])

    def to_bytes(self, *, exclude: Iterable[str] = ()) -> bytes:
        """Serialize the component: labels and settings, weights, vocab.

        exclude: What to leave out, of "cfg", "model" and "vocab".
        RETURNS: For `from_bytes`.
        """
        model = None if "model" in exclude else self.model.to_bytes()
        parts: dict[str, Callable[[], bytes]] = {
            "cfg": lambda: self._saved_cfg(model, self.configured),
            "vocab": lambda: self.vocab.to_bytes(exclude=exclude),
        }
        if model is not None:
            parts["model"] = lambda: model
        return util.to_bytes(parts, exclude)

    def from_bytes(
        self, bytes_data: bytes, *, exclude: Iterable[str] = ()
    ) -> "SerializablePipe":
        """Load what `to_bytes` has saved. A setting gets the value that was saved,
        unless this component was created with another value that is not the default.

        bytes_data: The bytes.
        exclude: What to leave out, of "cfg", "model" and "vocab".
        RETURNS: The component itself.
        RAISES (DamagedComponent): For other bytes; it is a ValueError.
        """
        place = f"[{self.name}]"
        try:
            parts = srsly.msgpack_loads(bytes_data)
            cfg, model = parts.get("cfg"), parts.get("model")
        except Exception as error:
            raise DamagedComponent(f"{place} The bytes are damaged: {error}") from None
        if "cfg" in exclude:
            cfg = None
        if "model" in exclude:
            model = None
        loaded = None
        if cfg is not None:
            data = cfg.encode() if isinstance(cfg, str) else cfg
            loaded = read_cfg(data, f"{place} cfg")
        if model is not None:
            self._load_model(model, loaded, f"{place} model")
        if loaded is not None:
            self._load_cfg(loaded, f"{place} cfg", config=None)
        util.from_bytes(
            bytes_data,
            {"vocab": lambda b: self.vocab.from_bytes(b, exclude=exclude)},
            exclude,
        )
        return self

    def to_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> None:
        """Save the component to a folder: labels and settings, weights, vocab.

        path: The folder.
        exclude: What to leave out, of "cfg", "model" and "vocab".
        """
        model = None if "model" in exclude else self.model.to_bytes()
        config = settings.saved_config(Path(path), interpolate=True)
        configured = self.configured
        if config is not None:
            configured = {name: [value] for name, value in config.items()}
        parts: dict[str, Callable[[Path], Any]] = {
            "cfg": lambda p: p.write_bytes(self._saved_cfg(model, configured)),
            "vocab": lambda p: self.vocab.to_disk(p, exclude=exclude),
        }
        if model is not None:
            parts["model"] = lambda p: p.write_bytes(model)
        util.to_disk(path, parts, exclude)

    def from_disk(
        self, path: str | Path, *, exclude: Iterable[str] = ()
    ) -> "SerializablePipe":
        """Load what `to_disk` has saved. A setting gets the value that was saved,
        unless the config of the pipeline has another one: one that `spacy.load` was
        given, or that was edited in the file.

        path: The folder.
        exclude: What to leave out, of "cfg", "model" and "vocab".
        RETURNS: The component itself.
        RAISES (DamagedComponent): For other files; it is a ValueError.
        RAISES (OSError): For files that are missing or cannot be read.
        """
        path = Path(path)
        loaded = None
        if "cfg" not in exclude:
            loaded = read_cfg((path / "cfg").read_bytes(), str(path / "cfg"))
        if "model" not in exclude:
            place = path / "model"
            self._load_model(place.read_bytes(), loaded, str(place))
        if loaded is not None:
            config = settings.loaded_config(self, path)
            self._load_cfg(loaded, str(path / "cfg"), config=config)
        readers: dict[str, Callable[[Path], Any]] = {
            "vocab": lambda p: self.vocab.from_disk(p, exclude=exclude)
        }
        util.from_disk(path, readers, exclude)
        return self

    def _saved_cfg(
        self, model: bytes | None, configured: dict[str, list[Any]]
    ) -> bytes:
        return saved_cfg(self.state, self.settings, configured, model)

    def _load_model(self, data: bytes, cfg: dict[str, Any] | None, place: str) -> None:
        if cfg is not None:
            check_model_bytes(data, cfg, place)
        load_model(self.model, data, place)
        if cfg is not None:
            check_labels_fit(self.model, cfg, place)

    def _load_cfg(
        self, cfg: dict[str, Any], place: str, *, config: LoadedConfig | None
    ) -> None:
        """Take over the saved values: all of them, or none if one is not valid."""
        names = asdict(self.state).keys()
        if missing := names - cfg.keys():
            raise DamagedComponent(f"{place}: {min(missing)!r} is missing")
        check_labels_fit(self.model, cfg, place)
        for name in sorted(names & {"scheme", "unit", "depth"}):
            value = cfg[name] if config is None else config.given.get(name, cfg[name])
            if value != cfg[name] and "${" not in str(value):
                warnings.warn(
                    f"{place}: the config has {name} = {value!r}, but the weights "
                    f"require {cfg[name]!r}, which is used.",
                    stacklevel=3,
                )
        resolved = settings.resolve(
            self, cfg["settings"], cfg["configured"], config, place
        )
        for label in cfg["labels"]:
            self.vocab.strings.add(label)
        self.state = type(self.state)(**{name: cfg[name] for name in names})
        for name, value in resolved.items():
            setattr(self, name, value)
