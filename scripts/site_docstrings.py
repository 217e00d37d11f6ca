"""A Griffe extension: reads docstrings in spaCy's style for the pages of the reference.

    text: An argument; continuation lines are indented.
    RETURNS: What the function returns. YIELDS is read in the same way.
    RAISES (ValueError): An exception, and when it is raised.

The pages show the types of the signature, which docstrings do not repeat. For classes
with fields, such as named tuples, the comments of the fields (``#: …`` above a field or
``# …`` after it) and the docstrings of properties become a table of attributes.
"""

import re
from collections.abc import Iterator
from typing import Any

import griffe

ITEM = re.compile(r"(?P<name>\*{0,2}\w+)(?: \((?P<type>[^:]+)\))?:(?: (?P<text>.*))?")
KEYWORDS = ("RETURNS", "YIELDS", "RAISES")


class SpacyDocstrings(griffe.Extension):
    def on_package(self, *, pkg: griffe.Module, **kwargs: Any) -> None:
        self._read(pkg)

    def _read(self, obj: griffe.Object) -> None:
        for member in obj.members.values():
            if not member.is_alias:
                self._read(member)  # type: ignore[arg-type]
        if obj.is_class or obj.is_function:
            sections, described = read_docstring(obj) if obj.docstring else ([], {})
            if obj.is_class and (attributes := read_attributes(obj, described)):
                sections.append(griffe.DocstringSectionAttributes(attributes))
            if sections:
                docstring = obj.docstring or griffe.Docstring("", parent=obj)
                # Replaces the result of Griffe's own parsers.
                docstring.__dict__["parsed"] = sections
                obj.docstring = docstring


def read_docstring(
    obj: griffe.Object,
) -> tuple[list[griffe.DocstringSection], dict[str, str]]:
    """The sections of a docstring (text, arguments, results and exceptions), and the
    descriptions of fields that are not arguments."""
    known = {parameter.name: parameter for parameter in _parameters(obj)}
    fields = {name for name, _ in _attributes(obj)} if obj.is_class else set()
    described: dict[str, str] = {}
    text: list[str] = []
    items: list[tuple[str, str | None, list[str]]] = []
    for line in obj.docstring.value.splitlines():
        match = ITEM.fullmatch(line)
        if match and match["name"] in (*known, *fields, *KEYWORDS):
            items.append((match["name"], match["type"], [match["text"] or ""]))
        elif items and (line.startswith("    ") or not line.strip()):
            items[-1][2].append(line.strip())
        else:
            text.append(line)
    sections: list[griffe.DocstringSection] = []
    if description := "\n".join(text).strip():
        # The registered name of a function is its heading.
        description = re.sub(r"^`spacy-lstm-ner\.[\w.]+`[:,] ", "", description)
        description = description[:1].upper() + description[1:]
        sections.append(griffe.DocstringSectionText(description))
    parameters, returns, yields, raises = [], [], [], []
    for name, type_, lines in items:
        description = "\n".join(lines).strip()
        if name == "RETURNS":
            result = griffe.DocstringReturn(
                name="", description=description, annotation=_returned(obj) or type_
            )
            returns.append(result)
        elif name == "YIELDS":
            yields.append(
                griffe.DocstringYield(
                    name="",
                    description=description,
                    annotation=_yielded(obj) or type_,
                )
            )
        elif name == "RAISES":
            raises.extend(
                griffe.DocstringRaise(annotation=error.strip(), description=description)
                for error in (type_ or "").split(",")
            )
        elif name not in known:
            described[name] = description
        else:
            parameters.append(
                griffe.DocstringParameter(
                    name=name,
                    description=description,
                    annotation=known[name].annotation or type_,
                    value=known[name].default,
                )
            )
    for kind, found in (
        (griffe.DocstringSectionParameters, parameters),
        (griffe.DocstringSectionReturns, returns),
        (griffe.DocstringSectionYields, yields),
        (griffe.DocstringSectionRaises, raises),
    ):
        if found:
            sections.append(kind(found))  # type: ignore[arg-type]
    return sections, described


def read_attributes(
    cls: griffe.Object, described: dict[str, str]
) -> list[griffe.DocstringAttribute]:
    """The fields of a class that its docstring or comments explain, and its properties.
    Fields that are arguments are explained there."""
    attributes = []
    arguments = {parameter.name for parameter in _parameters(cls)}
    for name, target in _attributes(cls):
        description = described.get(name) or (
            target.docstring.value if target.docstring else _comment_of(target)
        )
        is_field = target.value is None or "class-attribute" not in target.labels
        if description or (
            is_field and target.annotation is not None and name not in arguments
        ):
            attributes.append(
                griffe.DocstringAttribute(
                    name=name,
                    description=description,
                    annotation=target.annotation,
                )
            )
    return attributes


def _attributes(cls: griffe.Object) -> Iterator[tuple[str, griffe.Attribute]]:
    """The public fields and properties of a class and its bases."""
    for name, member in {**cls.inherited_members, **cls.members}.items():
        if not name.startswith("_") and member.is_attribute:
            yield name, member.final_target if member.is_alias else member


def _comment_of(attribute: griffe.Object) -> str:
    if attribute.lineno is None:
        return ""
    lines = attribute.lines_collection[attribute.filepath]
    first = attribute.lineno - 1
    above: list[str] = []
    while first and lines[first - 1].lstrip().startswith("#:"):
        first -= 1
        above.insert(0, lines[first].strip().removeprefix("#:").strip())
    after = re.search(r"  # (.+)$", lines[attribute.lineno - 1])
    return " ".join(above) or (after[1] if after else "")


def _parameters(obj: griffe.Object) -> list[griffe.Parameter]:
    if obj.is_class and any("dataclass" in str(d.value) for d in obj.decorators):
        return [
            griffe.Parameter(name, annotation=field.annotation, default=field.value)
            for name, field in _attributes(obj)
            if field.annotation is not None and "property" not in field.labels
        ]
    try:
        return list(obj.parameters)  # type: ignore[attr-defined]
    except (AttributeError, KeyError):
        return []


def _returned(obj: griffe.Object) -> Any:
    return obj.returns if obj.is_function else None  # type: ignore[attr-defined]


def _yielded(obj: griffe.Object) -> Any:
    """The type of the items of an annotation such as ``Iterator[Span]``."""
    returned = _returned(obj)
    return returned.slice if isinstance(returned, griffe.ExprSubscript) else returned
