"""Pages in a browser: window sizes, text that must not become markup, and checks. The
fixtures are in conftest.py."""

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# The windows in which the pages are tested.
SCREEN = {"width": 1200, "height": 800}
PHONE = {"width": 375, "height": 700}
HOSTILE = (
    "<script>document.title = 'run'</script>",
    "<img src=x onerror=\"document.title = 'run'\">",
    "</script><script>document.title = 'run'</script>",
    "&lt;b&gt; \"quoted\" 'twice'",
    "a\u202eb\u2066c",
    "👨‍👩‍👧 🇨🇳 👍🏽",
    "王\ud800芳\x00\x07",
)


def fits_the_width(page) -> bool:
    """Return whether the page fits into the window without horizontal scrolling."""
    return page.evaluate(
        "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    )


def low_contrast(page) -> list[str]:
    """Return the visible texts of a page whose contrast with what is behind them is
    below 4.5 (WCAG 2.1, 1.4.3). Disabled controls, and pictures in a canvas, are left
    out; so are shadows at the edges of what scrolls."""
    return page.evaluate(LOW_CONTRAST)


# The colors behind an element are blended: those of an SVG, from its parents; canvas
# pixels translate any notation of CSS.
LOW_CONTRAST = """() => {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 1;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const parsed = new Map();
  const rgba = (color) => {
    if (!parsed.has(color)) {
      context.clearRect(0, 0, 1, 1);
      context.fillStyle = color;
      context.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = context.getImageData(0, 0, 1, 1).data;
      parsed.set(color, [r, g, b, a / 255]);
    }
    return parsed.get(color);
  };
  const over = ([r, g, b, a], under) =>
    [r, g, b].map((x, k) => a * x + (1 - a) * under[k]);
  const behind = (element) => {
    const papers = [];
    for (let e = element; e; e = e.parentElement) {
      papers.push(rgba(getComputedStyle(e).backgroundColor));
      if (papers.at(-1)[3] === 1) break;
    }
    const white = [255, 255, 255];
    return papers.reverse().reduce((under, paper) => over(paper, under), white);
  };
  const light = (color) => [0.2126, 0.7152, 0.0722].reduce((sum, weight, k) => {
    const c = color[k] / 255;
    return sum + weight * (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  }, 0);
  const found = [];
  let n = 0;
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text; (text = texts.nextNode()); ) {
    const element = text.parentElement;
    if (!text.data.trim() || element.closest("script, option, :disabled")) continue;
    if (!element.checkVisibility({ checkVisibilityCSS: true })) continue;
    const style = getComputedStyle(element);
    const ink = element instanceof SVGElement ? style.fill : style.color;
    const paper = behind(element);
    const lights = [light(over(rgba(ink), paper)), light(paper)].sort((x, y) => x - y);
    const contrast = (lights[1] + 0.05) / (lights[0] + 0.05);
    n++;
    if (contrast < 4.5) {
      found.push(`${contrast.toFixed(2)} ${element.tagName}.${element.className}: ` +
        text.data.trim().slice(0, 20));
    }
  }
  return n < 3 ? ["nothing was checked"] : found;
}"""


def too_wide(page) -> list[str]:
    """Return the elements that are wider than the window, and not in a part of the page
    that scrolls."""
    return page.evaluate(
        """() => [...document.querySelectorAll("body *")].filter((e) => {
          if (e.closest("svg") || e.closest(".screen-reader")) return false;
          if (e.parentElement.closest(".scroll")) return false;
          const { clientWidth } = document.documentElement;
          return e.getBoundingClientRect().right > clientWidth + 0.5;
        }).map((e) => `${e.tagName}.${e.className}`)"""
    )


def contrast(*colors: str) -> float:
    """Contrast of two CSS colors; at least 4.5 is readable (WCAG 2.1, 1.4.3)."""
    lights = []
    for color in colors:
        channels = [float(x) / 255 for x in color[4:-1].split(",")]
        linear = [
            c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
            for c in channels
        ]
        lights.append(
            sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
        )
    low, high = sorted(lights)
    return (high + 0.05) / (low + 0.05)
