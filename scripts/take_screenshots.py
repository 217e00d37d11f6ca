"""Take the screenshots for the documentation, docs/images/*.png.

    python -m spacy project run all
    python scripts/take_screenshots.py training/sample/lstm_ner/seed-0/model-best \\
        reports/sample.html

Needs Chromium with fonts for Chinese, and Playwright (the extra `tests`). The files are
committed.
"""

import shutil
from pathlib import Path
from typing import Annotated, Any

import typer
from playwright.sync_api import sync_playwright

from spacy_lstm_ner.pipeline.loading import load_pipeline
from spacy_lstm_ner.server.service import Service
from spacy_lstm_ner.server.settings import Settings

IMAGES = Path(__file__).parents[1] / "docs" / "images"
TEXT = (
    "王芳，女，汉族，中国国籍，硕士学历，曾任北京大学教授，现任上海光明电子有限公司"
    "副总经理。3月6日，巴西采购12架猎鹰无人机。"
)
SHORT_TEXT = "王芳任北京大学教授，现任公司副总经理。"
WIDTH = 960


def take_screenshots(
    model: Annotated[Path, typer.Argument(help="Folder of a pipeline")],
    report: Annotated[Path, typer.Argument(help="HTML file of `lstm-ner report`")],
    out: Annotated[Path, typer.Argument(help="Folder for the files")] = IMAGES,
) -> None:
    """Take the screenshots of the demo page, the gates and the report."""
    settings = Settings(all_entities=True)
    server = Service(lambda: load_pipeline(str(model)), settings, port=0)
    server.start()
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox"]
            )
            page = browser.new_page(
                viewport={"width": WIDTH, "height": 900}, device_scale_factor=1.5
            )
            _demo(page, server.url, out)
            _report(page, report, out)
            browser.close()
    finally:
        server.stop()


def _demo(page: Any, url: str, out: Path) -> None:
    page.goto(url)
    _find(page, TEXT)
    end = _bottom(page, "#table")
    page.screenshot(
        path=out / "demo.png", clip={"x": 0, "y": 0, "width": WIDTH, "height": end + 12}
    )
    _find(page, SHORT_TEXT)
    page.locator("#open-gates").click()
    page.locator("#gates:not([hidden])").wait_for()
    page.wait_for_timeout(1500)
    page.locator("#gates").screenshot(path=out / "gates.png")


def _find(page: Any, text: str) -> None:
    page.locator("#text").fill(text)
    page.locator("#read").click()
    page.wait_for_timeout(500)
    page.locator("#result[aria-busy=false] mark").first.wait_for()


def _report(page: Any, report: Path, out: Path) -> None:
    page.goto(report.resolve().as_uri())
    page.get_by_role("heading", name="Learning curves").evaluate(
        "heading => heading.scrollIntoView()"
    )
    page.screenshot(path=out / "report.png")


def _bottom(page: Any, selector: str) -> float:
    box = page.locator(selector).bounding_box()
    return float(box["y"] + box["height"])


if __name__ == "__main__":
    typer.run(take_screenshots)
