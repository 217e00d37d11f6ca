"""Draw the map of the package, docs/images/packages.svg, from its own imports.

A box is a package or a module directly below spacy_lstm_ner; an arrow means that the
upper one imports the lower one. Arrows that are implied by others are left out, as are
those to `util` and `exceptions`, which all may import. The file is committed.
"""

import ast
from functools import cache
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

ROOT = Path(__file__).parents[1]
PACKAGE = "spacy_lstm_ner"
FOUNDATION = ("util", "exceptions")

WIDTH, BOX_WIDTH, BOX_HEIGHT, ROW, GAP, TOP = 800, 200, 58, 100, 34, 74
# Those of draw_pictures.py.
INK, GREY, BLUE, PAPER, EDGE = "#1f2328", "#59636e", "#0969da", "#fcfcfd", "#d0d7de"
ROLES = {
    "cli": "the commands",
    "server": "the demo page",
    "inspect": "for notebooks",
    "pages": "data to HTML",
    "evaluation": "scores, errors, report",
    "interpret": "gates, attribution",
    "prediction": "any number of texts",
    "sharing": "model cards, the hub",
    "pipeline": "the component lstm_ner",
    "model": "documents to scores",
    "data": "files to documents",
    "tags": "spans and tag schemes",
    "layers": "LSTM, CRF, embeddings",
    "kernels": "the same, compiled",
}


class Package(NamedTuple):
    """A package or a module directly below the top one."""

    name: str
    summary: str  # the first sentence of its docstring
    imports: frozenset[str]  # others, by name


@cache
def read_packages() -> tuple[Package, ...]:
    """RETURNS: The packages, those that import none of the others first."""
    paths: dict[str, list[Path]] = {}
    for path in sorted((ROOT / PACKAGE).rglob("*.py")):
        parts = path.relative_to(ROOT / PACKAGE).with_suffix("").parts
        if parts != ("__init__",):
            paths.setdefault(parts[0], []).append(path)
    packages = {}
    for name, files in paths.items():
        head = next((p for p in files if p.name == "__init__.py"), files[0])
        docstring = ast.get_docstring(ast.parse(head.read_text("utf8"))) or ""
        sentence = docstring.split("\n\n")[0].replace("\n", " ").split(". ")[0]
        imported = {target for path in files for target in _imported(path)}
        packages[name] = Package(
            name,
            sentence.rstrip(".").replace("``", "`"),
            frozenset(imported & paths.keys() - {name}),
        )
    ordered: list[Package] = []
    levels = _levels(packages)
    for name in sorted(packages, key=lambda n: (levels[n], n)):
        ordered.append(packages[name])
    return tuple(ordered)


def _imported(path: Path) -> set[str]:
    """The names below the package that a file imports, at the top or in functions."""
    here = path.relative_to(ROOT).parent.parts
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf8"))):
        if isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level + 1] if node.level else ()
            base += tuple(node.module.split(".")) if node.module else ()
            if base == (PACKAGE,):
                found.update(alias.name for alias in node.names)
            elif base[:1] == (PACKAGE,):
                found.add(base[1])
        elif isinstance(node, ast.Import):
            parts = [alias.name.split(".") for alias in node.names]
            found.update(p[1] for p in parts if p[0] == PACKAGE and len(p) > 1)
    return found


def _levels(packages: dict[str, Package]) -> dict[str, int]:
    """The length of the longest chain of imports below each package. If there is a
    cycle, which `lint-imports` forbids, an import that closes it does not count."""
    levels: dict[str, int] = {}

    def level(name: str, above: tuple[str, ...] = ()) -> int:
        if name not in levels:
            below = [n for n in packages[name].imports if n not in (*above, name)]
            levels[name] = 1 + max((level(n, (*above, name)) for n in below), default=0)
        return levels[name]

    for name in packages:
        level(name)
    return levels


def _direct(packages: dict[str, Package]) -> set[tuple[str, str]]:
    """The arrows that are not implied by others."""

    def reach(name: str, seen: frozenset[str]) -> set[str]:
        found = set()
        for n in packages[name].imports - seen:
            found |= {n} | reach(n, seen | {n})
        return found

    return {
        (name, target)
        for name, package in packages.items()
        for target in package.imports
        if not any(
            target in reach(other, frozenset({name, other}))
            for other in package.imports - {target}
        )
    }


def draw() -> str:
    """RETURNS: The picture as SVG."""
    all_packages = {package.name: package for package in read_packages()}
    foundation = [all_packages[n] for n in FOUNDATION if n in all_packages]
    packages = {
        name: package._replace(imports=package.imports - set(FOUNDATION))
        for name, package in all_packages.items()
        if name not in FOUNDATION
    }
    levels = _levels(packages)
    rows: dict[int, list[Package]] = {}
    for name, package in packages.items():
        rows.setdefault(levels[name], []).append(package)
    top = max(rows)
    places: dict[str, tuple[float, float]] = {}
    for level, row in rows.items():
        span = len(row) * BOX_WIDTH + (len(row) - 1) * GAP
        for k, package in enumerate(row):
            x = (WIDTH - span) / 2 + k * (BOX_WIDTH + GAP) + BOX_WIDTH / 2
            places[package.name] = x, TOP + (top - level) * ROW + BOX_HEIGHT / 2
    bottom = TOP + top * ROW
    parts = [
        _arrow(places[a], places[b], levels[a] - levels[b])
        for a, b in sorted(_direct(packages))
    ]
    parts += [_box(package, *places[name]) for name, package in packages.items()]
    span = BOX_WIDTH * 3 + GAP
    parts.append(
        f'<rect x="{(WIDTH - span) / 2}" y="{bottom}" width="{span}" height="58" '
        f'rx="6" class="foundation"/>'
    )
    names = ", ".join(package.name for package in foundation)
    parts.append(
        f'<text x="{WIDTH / 2}" y="{bottom + 24}" class="name">{names}</text>'
        f'<text x="{WIDTH / 2}" y="{bottom + 43}">imported by all of them</text>'
    )
    height = bottom + 86
    listed = "; ".join(
        f"{p.name} imports {', '.join(sorted(p.imports)) or 'none of the others'}"
        for p in reversed(packages.values())
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}" role="img">\n'
        f"<title>The packages of {PACKAGE} and their imports</title>\n"
        f"<desc>{listed}.</desc>\n"
        f"<style>\ntext {{ font: 13px Helvetica, Arial, sans-serif; fill: {GREY}; "
        f"text-anchor: middle }}\n.name {{ font-size: 15px; font-weight: bold; "
        f"fill: {INK} }}\n.title {{ font-size: 19px; font-weight: bold; fill: {INK}; "
        f"text-anchor: start }}\nrect {{ fill: {BLUE}; fill-opacity: 0.06; "
        f"stroke: {BLUE}; stroke-width: 1.6px }}\n"
        f".card {{ fill: {PAPER}; fill-opacity: 1; stroke: {EDGE} }}\n"
        f".foundation {{ fill: {GREY}; stroke: {GREY}; stroke-dasharray: 5 3 }}\n"
        f"path {{ fill: none; stroke: {GREY}; stroke-width: 1.4px }}\n</style>\n"
        f'<marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" '
        f'markerHeight="8" orient="auto"><path d="M0,0 L8,4 L0,8 z" '
        f'style="fill: {GREY}; stroke: none"/></marker>\n'
        f'<rect x="1" y="1" width="{WIDTH - 2}" height="{height - 2}" rx="8" '
        f'class="card"/>\n'
        f'<text x="28" y="40" class="title">{PACKAGE}: imports run down '
        f"only</text>\n" + "\n".join(parts) + "\n</svg>\n"
    )


def _box(package: Package, x: float, y: float) -> str:
    return (
        f'<rect x="{x - BOX_WIDTH / 2:g}" y="{y - BOX_HEIGHT / 2:g}" '
        f'width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="6"/>'
        f'<text x="{x:g}" y="{y - 2:g}" class="name">{package.name}</text>'
        f'<text x="{x:g}" y="{y + 17:g}">{ROLES.get(package.name, "")}</text>'
    )


def _arrow(start: tuple[float, float], end: tuple[float, float], levels: int) -> str:
    (x1, y1), (x2, y2) = start, end
    y1, y2 = y1 + BOX_HEIGHT / 2, y2 - BOX_HEIGHT / 2
    if levels > 1 and abs(x1 - x2) < BOX_WIDTH:
        # Around the boxes in between.
        side = WIDTH / 2 + 0.36 * WIDTH
        path = (
            f"M{x1:g},{y1:g} C{side:g},{y1 + 50:g} {side:g},{y2 - 50:g} {x2:g},{y2:g}"
        )
    else:
        path = f"M{x1:g},{y1:g} L{x2:g},{y2:g}"
    return f'<path d="{path}" marker-end="url(#head)"/>'


def main(
    output: Annotated[Path, typer.Argument(help="The file to write")] = (
        ROOT / "docs" / "images" / "packages.svg"
    ),
) -> None:
    """Draw the map of the package from its imports."""
    output.write_text(draw(), "utf8", newline="\n")


if __name__ == "__main__":
    typer.run(main)
