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
