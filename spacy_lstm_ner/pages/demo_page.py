"""The demo page of a pipeline: `python -m spacy lstm-ner visualize`."""

import html
from collections.abc import Mapping, Sequence

from .elements import text_html
from .entities import HUES
from .page import asset, page


def demo_page(
    *,
    name: str,
    components: Sequence[str],
    lang: str,
    example: str,
    threshold: float,
    limits: Mapping[str, int],
    no_gates: str | None,
) -> str:
    """Return a page to enter a text, see its entities and the gates of the LSTM, and
    annotate files. It sends requests to its server.

    name: Name of the pipeline.
    components: Names of its components.
    lang: The language of texts, for screen readers; empty: unknown.
    example: The initial text.
    threshold: The initial threshold.
    limits: Maximum sizes: see `ServedPipeline`.
    no_gates: The reason why there are no gates; None if there are.
    RETURNS: The page.
    """
    body = "\n".join(
        [
            "<h1>Find entities</h1>",
            f'<p class="note">Pipeline: {text_html(name)} '
            f"({text_html(', '.join(components))}). Texts and files are sent to the "
            f"server of this page only.</p>",
            "<noscript><p>This page needs JavaScript.</p></noscript>",
            _text(lang, example, limits),
            _result(lang, threshold),
            _gates(limits, no_gates),
            _file(limits),
        ]
    )
    return page(
        f"Find entities with {name}",
        body,
        style=asset("demo.css"),
        script=asset("demo.js"),
        data={"limits": limits, "gates": no_gates is None, "hues": dict(HUES)},
        connect=True,
        # The gates are shown in a frame.
        framed=[asset("gates.js")],
    )


def _text(lang: str, example: str, limits: Mapping[str, int]) -> str:
    return f"""<section>
<label for="text">Text</label>
<textarea id="text" lang="{lang}" rows="4" dir="auto" spellcheck="false"
 autocomplete="off" aria-describedby="text-note text-problem">
{html.escape(example)}</textarea>
<div class="controls">
<button id="read">Find entities</button>
<span id="text-size" class="note"></span>
</div>
<p class="note" id="text-note">Entities are found while you type; in longer texts, with
the button or Ctrl+Enter. At most {limits["text"]:,} characters, which take some
seconds.</p>
<p id="text-problem" class="problem" role="alert"></p>
</section>"""


def _result(lang: str, threshold: float) -> str:
    return f"""<section aria-labelledby="result-title">
<h2 id="result-title">Entities</h2>
<div class="controls">
<label for="threshold">Threshold: minimum probability of entities</label>
<input type="range" id="threshold" min="0" max="1" step="0.01" value="{threshold}">
<output id="threshold-value" for="threshold"></output>
</div>
<p id="summary" role="status"></p>
<ul id="labels" aria-label="Labels"></ul>
<div id="result" lang="{lang}" class="text" tabindex="0" role="group"
 aria-label="The text with its entities"></div>
<details id="table"><summary>Table of entities</summary>
<div class="wide"><table>
<thead><tr><th scope="col">Entity</th><th scope="col">Label</th>
<th scope="col">Probability</th><th scope="col">Characters</th></tr></thead>
<tbody></tbody>
</table></div></details>
</section>"""


def _gates(limits: Mapping[str, int], no_gates: str | None) -> str:
    title = '<h2 id="gates-title">Inside the LSTM</h2>'
    if no_gates is not None:
        return f"<section>{title}\n<p>{text_html(no_gates)}</p></section>"
    return f"""<section aria-labelledby="gates-title">{title}
<p class="note">The gates at each character of a text of at most {limits["gates"]:,}
characters: select a part of a longer text above.</p>
<p><label><input type="checkbox" id="attribution"> With attribution: the contribution of
each character to each entity (at most {limits["why"]:,} characters, which take some
seconds)</label></p>
<div class="controls">
<button id="open-gates" aria-describedby="gates-note">Show the gates</button>
<span id="gates-note" role="status"></span>
</div>
<p id="gates-problem" class="problem" role="alert"></p>
<iframe id="gates" title="LSTM gates" sandbox="allow-scripts" hidden>
</iframe>
</section>"""


def _file(limits: Mapping[str, int]) -> str:
    return f"""<section aria-labelledby="file-title" id="file-part">
<h2 id="file-title">Files</h2>
<p class="note">A .txt file with one text per line, or a .jsonl file with one
<code>{{"text": "…"}}</code> per line, of at most {limits["file"] // 1_000_000} MB. The
result is a JSON Lines file: the lines of the file with <code>entities</code> (those
above the threshold; offsets are in characters, from 0). Lines that cannot be read are
kept, with <code>error</code>. If the file already contains <code>entities</code> or
<code>error</code>, these are kept, and the new ones are called
<code>lstm_ner_entities</code> and <code>lstm_ner_error</code>.</p>
<p><label for="file">Choose a file, or drop it on this page</label>
<input type="file" id="file" accept=".txt,.jsonl,.ndjson,text/plain"></p>
<div id="file-progress" class="controls" hidden>
<progress id="progress" aria-labelledby="file-status"></progress>
<button id="cancel">Cancel</button>
</div>
<p id="file-status" role="status"></p>
<p id="file-problem" class="problem" role="alert"></p>
<button id="download" hidden>Download as JSON Lines</button>
</section>"""
