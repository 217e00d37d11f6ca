"""Changes that `mkdocs build` makes to the pages of docs/ (`hooks` in mkdocs.yml):

- ``::: spacy_lstm_ner.NAME`` is replaced by the module where NAME is defined, since the
  public names are loaded when they are used, which mkdocstrings cannot see;
- ``<!-- generated: … -->`` becomes what one of `GENERATORS` yields: the reference of
  all commands, from the Typer app; the public names of a section, and the layers; the
  functions of an entry point group of setup.cfg, as a table or with their arguments; a
  table of the packages and what they import;
- a link to a file of the repository outside of docs/ becomes one to the file on the
  public host. One to a file that does not exist fails the strict build.
"""

import configparser
import importlib
import inspect
import logging
import posixpath
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from markdown.extensions.toc import slugify_unicode
from typer.models import ArgumentInfo, OptionInfo

sys.path.insert(0, str(Path(__file__).parent))  # for the script beside this one
from draw_packages import read_packages

ROOT = Path(__file__).parents[1]
PACKAGE = "spacy_lstm_ner"
API_SECTIONS = {
    "pipeline": "Entities and their scores",
    "data": "Data",
    "prediction": "Prediction",
    "evaluation": "Evaluation",
    "inspect": "Inspection",
    "exceptions": "Exceptions",
}
PROJECT_PAGE = "reference/project.md"
# Its warnings count for `mkdocs build --strict`.
log = logging.getLogger("mkdocs.hooks.site")

OBJECT = re.compile(rf"^::: {PACKAGE}\.(\w+)$((?:\n    .*)*)", re.MULTILINE)
LINK = re.compile(r"(\]\()([^)\s#]+)(#[^)\s]*)?(\))")
GENERATED = re.compile(r"^<!-- generated: (\w+)(?: of (\w+))? -->$", re.MULTILINE)
FENCE = re.compile(r"^( *```.*?^ *```$)", re.MULTILINE | re.DOTALL)


def on_config(config: Any) -> None:
    # Headings in Chinese keep their characters in anchors, as on the public host.
    config.mdx_configs["toc"]["slugify"] = slugify_unicode


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    markdown = GENERATED.sub(
        lambda match: "\n".join(GENERATORS[match[1]](*filter(None, [match[2]]))),
        markdown,
    )
    markdown = OBJECT.sub(lambda match: _public_object(match[1], match[2]), markdown)
    if page.file.src_uri == PROJECT_PAGE:
        # Headings that `spacy project document` writes go below that of the page.
        head, *generated = markdown.split("<!-- WEASEL")
        generated = [re.sub("^#", "##", part, flags=re.MULTILINE) for part in generated]
        markdown = "<!-- WEASEL".join([head, *generated])
    # Links, but not in code.
    parts = FENCE.split(markdown)
    parts[::2] = [
        LINK.sub(lambda match: _repository_link(match, page, config), part)
        for part in parts[::2]
    ]
    return "".join(parts)


def on_post_page(output: str, page: Any, config: Any) -> str:
    worker = posixpath.relpath(
        "javascripts/frame-worker.js", posixpath.dirname(page.file.dest_uri)
    )
    output = _without_other_hosts(output, worker)
    if page.file.src_uri.endswith(".zh.md"):
        output = output.replace('<html lang="en"', '<html lang="zh-Hans"', 1)
    return output


def on_post_template(output_content: str, template_name: str, config: Any) -> str:
    if template_name == "404.html":
        return _without_other_hosts(output_content, "/javascripts/frame-worker.js")
    return output_content


def _without_other_hosts(output: str, worker: str) -> str:
    """Remove what the theme would load from other hosts: a worker for pages in a
    folder, and the number of stars of the repository."""
    output = output.replace("https://unpkg.com/iframe-worker/shim", worker)
    return output.replace(' data-md-component="source"', "")


def _public_object(name: str, options: str) -> str:
    """The mkdocstrings block for a public name, with an anchor of that name."""
    package = importlib.import_module(PACKAGE)
    source = package if name in package.__all__ else package.layers
    value = getattr(source, name)
    while inspect.isclass(value) and value.__module__ == f"{PACKAGE}.inspect":
        # A result that a notebook displays: its documentation is that of its base.
        value = value.__bases__[0]
    value = inspect.unwrap(value)
    options = options or "\n    options:"
    return (
        f"[](){{#{name}}}\n\n"
        f"::: {value.__module__}.{value.__qualname__}{options}\n"
        f"      heading: {name}\n      toc_label: {name}\n"
    )


def _repository_link(match: re.Match, page: Any, config: Any) -> str:
    target, anchor = match[2], match[3] or ""
    if re.match(r"\w+:|//", target):
        return match[0]
    folder = posixpath.dirname(page.file.src_uri)
    path = posixpath.normpath(posixpath.join("docs", folder, target))
    if page.file.src_uri == PROJECT_PAGE and not (ROOT / path).exists():
        path = target  # `spacy project document` writes links from the root
    if path.startswith("docs/"):
        return match[0]
    if not (ROOT / path).exists():
        log.warning("%s links to %s, which does not exist", page.file.src_uri, path)
    kind = "tree" if (ROOT / path).is_dir() else "blob"
    return f"]({config.repo_url.rstrip('/')}/{kind}/main/{path}{anchor})"


def public_names(section: str) -> Iterator[str]:
    """The public names that belong to a section of the page of the Python API."""
    package = importlib.import_module(PACKAGE)
    names = [n for n in package.__all__ if _section(getattr(package, n)) == section]
    if names:
        yield f"## {API_SECTIONS[section]}\n"
        yield from map(_heading_3, names)


def _section(value: Any) -> str:
    """By the package in which something is defined."""
    module = getattr(value, "__module__", "")
    public = importlib.import_module(PACKAGE)
    if value in (public.LSTMEntityRecognizer, public.LSTMNestedEntityRecognizer):
        return ""  # they have a page of their own
    if inspect.isclass(value) and issubclass(value, Exception):
        return "exceptions"
    module = module.removeprefix(f"{PACKAGE}.")
    first = module.partition(".")[0]
    return {"pages.report_page": "evaluation", "evaluation.export": "data"}.get(
        module, {"tags": "pipeline", "interpret": "inspect"}.get(first, first)
    )


def layer_reference() -> Iterator[str]:
    """The public layers, by kind."""
    layers = importlib.import_module(f"{PACKAGE}.layers")
    kinds: dict[str, list[str]] = {}
    for name in layers.__all__:
        module = getattr(layers, name).__module__.rpartition(".")[2]
        kind = (
            "Recurrent layers"
            if "lstm" in module or "rnn" in module
            else "Conditional random field"
            if module in ("crf", "label_crfs")
            else "Embeddings"
        )
        kinds.setdefault(kind, []).append(name)
    for kind in ("Recurrent layers", "Conditional random field", "Embeddings"):
        yield f"## {kind}\n"
        # A layer before its cell.
        names = sorted(kinds[kind], key=lambda name: (len(name), name))
        yield from map(_heading_3, names)


def _heading_3(name: str) -> str:
    return f"::: {PACKAGE}.{name}\n    options:\n      heading_level: 3\n"


def _entry_points(group: str) -> Iterator[tuple[str, str, Any]]:
    """The names of a group in setup.cfg, the places of the functions, and these."""
    setup = configparser.ConfigParser(delimiters=("=",))
    setup.optionxform = str  # type: ignore[assignment, method-assign]
    setup.read(ROOT / "setup.cfg", encoding="utf8")
    for line in setup["options.entry_points"][group].strip().splitlines():
        name, _, place = (part.strip() for part in line.partition("="))
        module, _, attribute = place.partition(":")
        yield name, place, getattr(importlib.import_module(module), attribute)


def registered_functions(group: str) -> Iterator[str]:
    """The functions of an entry point group, with their arguments."""
    for name, _, function in _entry_points(group):
        place = f"{function.__module__}.{function.__qualname__}"
        yield (
            f"::: {place}\n    options:\n      heading: {name}\n"
            f"      toc_label: {name.removeprefix('spacy-lstm-ner.')}\n"
            f"      heading_level: 3\n      merge_init_into_class: true\n"
            f"      show_signature: false\n"
        )


def registered_names(group: str) -> Iterator[str]:
    """A table of the functions of an entry point group."""
    yield "| name | function |"
    yield "| --- | --- |"
    for name, place, _ in _entry_points(group):
        yield f"| `{name}` | `{place.partition(':')[2]}` |"


def package_table() -> Iterator[str]:
    """A table of the packages below the top one, with their purposes and imports."""
    yield "| package | contents | imports |"
    yield "| --- | --- | --- |"
    for package in reversed(read_packages()):
        imports = ", ".join(f"`{name}`" for name in sorted(package.imports))
        yield f"| `{package.name}` | {package.summary} | {imports or 'none'} |"


# The command reference


def command_reference() -> Iterator[str]:
    """The reference of all commands, in Markdown. It is generated from the declarations
    in the functions, because the commands that Typer builds depend on its version."""
    from spacy_lstm_ner.cli import lstm_ner_cli

    for command in lstm_ner_cli.registered_commands:
        if not command.hidden:
            yield from _command(command.name, command.callback)


def _command(name: str, function: Callable) -> Iterator[str]:
    hints = get_type_hints(function, include_extras=True)
    arguments, options, pieces = [], [], ["[OPTIONS]"]
    for parameter in inspect.signature(function).parameters.values():
        type_, declared = get_args(hints[parameter.name])[:2]
        types = [t for t in get_args(type_) if t is not type(None)] or [type_]
        help_ = (declared.help or "").replace("|", r"\|").replace("\n", " ")
        is_required = parameter.default is parameter.empty
        if isinstance(declared, ArgumentInfo):
            metavar = declared.metavar or parameter.name.upper()
            if not is_required and not metavar.startswith("["):
                metavar = f"[{metavar}]"
            if any(get_origin(t) is list for t in (type_, *types)) and is_required:
                metavar += "..."
            pieces.append(metavar)
            arguments.append(f"| `{metavar}` | {help_} |")
        else:
            names = _option_names(parameter.name, declared, types[0])
            kind = {bool: "flag", str: "text", int: "integer", float: "number"}.get(
                types[0], "path" if Path in (*types, *get_args(types[0])) else "text"
            )
            shown = ", ".join(f"`{option}`" for option in names)
            default = _default(parameter.default, names)
            options.append(f"| {shown} | {kind} | {default} | {help_} |")
    summary, *rest = _paragraphs(inspect.getdoc(function) or "")
    yield f"\n## {name}\n\n{summary}\n"
    yield f"```text\npython -m spacy lstm-ner {name} {' '.join(pieces)}\n```\n"
    yield "\n".join(["| argument | description |", "| --- | --- |", *arguments, ""])
    yield "| option | type | default | description |"
    yield "\n".join(["| --- | --- | --- | --- |", *options, ""])
    yield from rest


def _option_names(name: str, declared: OptionInfo, type_: Any) -> list[str]:
    first = declared.default  # where Typer finds names in place of a default
    names = [
        *([first] if isinstance(first, str) else []),
        *(declared.param_decls or ()),
    ]
    if names:
        return [option for both in names for option in both.split("/")]
    option = name.replace("_", "-")
    return [f"--{option}", *([f"--no-{option}"] if type_ is bool else [])]


def _default(value: Any, names: list[str]) -> str:
    if value is True:
        return f"`{names[0]}`"
    if value is None or value is False or value == "":
        return ""
    return f"`{value}`"


def _paragraphs(text: str) -> Iterator[str]:
    """The paragraphs of a help text. Those that Click does not wrap are code."""
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        if paragraph.startswith("\b"):
            yield f"```bash\n{paragraph.strip(chr(8)).strip()}\n```\n"
        else:
            yield f"{paragraph}\n"


GENERATORS: dict[str, Callable[..., Iterator[str]]] = {
    "commands": command_reference,
    "packages": package_table,
    "functions": registered_functions,
    "entry_points": registered_names,
    "names": public_names,
    "layers": layer_reference,
}
