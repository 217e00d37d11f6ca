"""Take the screenshots for the documentation, docs/images/*.png.

    python -m spacy project run all . --vars.dataset resume --vars.config fast
    python scripts/take_screenshots.py training/resume/fast/seed-0/model-best \\
        reports/resume.html

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
    "王芳，女，汉族，中国国籍，无境外永久居留权，硕士学历，工商管理专业，江苏南京人，"
    "曾任北京大学教授，现任上海光明电子有限公司董事、副总经理。"
)
SHORT_TEXT = "王芳任北京大学教授，现任上海光明电子有限公司副总经理。"
WIDTH, HEIGHT = 1200, 1000


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
                viewport={"width": WIDTH, "height": HEIGHT}, device_scale_factor=1.5
            )
            _demo(page, server.url, out)
            _report(page, report, out)
            browser.close()
    finally:
        server.stop()


def _demo(page: Any, url: str, out: Path) -> None:
    page.goto(url)
    _find(page, TEXT)
    end = _bottom(page, ".play")
    page.screenshot(
        path=out / "demo.png", clip={"x": 0, "y": 0, "width": WIDTH, "height": end + 32}
    )
    _find(page, SHORT_TEXT)
    # The description is fixed at the bottom of the window.
    page.set_viewport_size({"width": WIDTH, "height": 2 * HEIGHT})
    page.locator("#open-gates").click()
    page.locator("#gates .units").first.wait_for()
    page.locator("#gates .char").nth(3).hover()
    top = page.locator("#gates").bounding_box()["y"] + page.evaluate("scrollY")
    end = _bottom(page, "#gates .help") + page.evaluate("scrollY")
    page.screenshot(
        path=out / "gates.png",
        full_page=True,
        clip={"x": 0, "y": top - 16, "width": WIDTH, "height": end - top + 32},
    )


def _find(page: Any, text: str) -> None:
    page.locator("#text").fill(text)
    page.locator("#read").click()
    page.wait_for_timeout(500)
    page.locator("#result[aria-busy=false] mark").first.wait_for()


def _report(page: Any, report: Path, out: Path) -> None:
    page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
    page.goto(report.resolve().as_uri())
    page.screenshot(path=out / "report.png")


def _bottom(page: Any, selector: str) -> float:
    box = page.locator(selector).bounding_box()
    return float(box["y"] + box["height"])


if __name__ == "__main__":
    typer.run(take_screenshots)
