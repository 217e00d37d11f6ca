"""The committed pictures are what the script draws."""

import runpy
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[2]
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A folder with freshly drawn pictures."""
    folder = tmp_path_factory.mktemp("pictures")
    script = runpy.run_path(str(ROOT / "scripts" / "draw_pictures.py"))
    script["draw_pictures"](folder)
    return folder


@pytest.mark.parametrize("name", ["lstm_cell.svg", "lstm_stack.svg"])
def test_picture_is_what_the_script_draws(drawn, name):
    committed = (ROOT / "docs/images" / name).read_bytes()
    assert committed == (drawn / name).read_bytes(), "run scripts/draw_pictures.py"


def test_map_of_the_packages_is_what_the_script_draws():
    script = runpy.run_path(str(ROOT / "scripts" / "draw_packages.py"))
    committed = (ROOT / "docs/images/packages.svg").read_text("utf8")
    assert committed == script["draw"](), "run scripts/draw_packages.py"


PICTURES = ["lstm_cell.svg", "lstm_stack.svg", "packages.svg"]


@pytest.mark.parametrize("name", PICTURES)
def test_picture_is_well_formed_and_described(name):
    root = ElementTree.parse(ROOT / "docs/images" / name).getroot()
    assert root.tag == f"{SVG}svg"
    for part in ("title", "desc"):
        assert root.findtext(f"{SVG}{part}")
    assert root.find(f".//{SVG}script") is None
