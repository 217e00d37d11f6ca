"""The page to try a pipeline: `python -m spacy lstm-ner visualize`."""

import html
from collections.abc import Mapping, Sequence

from .page import asset, page, text_html


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
    """A page with a text to type, its entities, the gates of the LSTM, and files. It
    asks the server that it comes from.

    name (str): Name of the pipeline.
    components (Sequence[str]): Names of its components.
    lang (str): The language of its texts, for screen readers; empty: any.
    example (str): The text that is there first.
    threshold (float): Where the slider is first.
    limits (Mapping[str, int]): How much is read at once: see demo.py.
    no_gates (str | None): Why there are no gates; None where there are some.
    RETURNS (str): The page, in one file.
    """
    body = "\n".join(
        [
            "<h1>Find entities</h1>",
            f'<p class="note">With {text_html(name)} '
            f"({text_html(', '.join(components))}). What you type or open goes to the "
            f"server of this page and nowhere else.</p>",
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
        data={"limits": limits, "gates": no_gates is None},
        connect=True,
        # The page of the gates is shown in a frame.
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
<p class="note" id="text-note">It is read while you type; a longer one with the
button, or Ctrl and Enter. Up to {limits["text"]:,} characters, which take some
seconds.</p>
<p id="text-problem" class="problem" role="alert"></p>
</section>"""


def _result(lang: str, threshold: float) -> str:
    return f"""<section aria-labelledby="result-title">
<h2 id="result-title">Entities</h2>
<div class="controls">
<label for="threshold">Threshold: only what is at least this probable</label>
<input type="range" id="threshold" min="0" max="1" step="0.01" value="{threshold}">
<output id="threshold-value" for="threshold"></output>
</div>
<p id="summary" role="status"></p>
<ul id="labels" aria-label="Labels"></ul>
<div id="result" lang="{lang}" class="text" tabindex="0" role="group"
 aria-label="The text with its entities"></div>
<details id="table"><summary>The same as a table</summary>
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
<p class="note">What its gates do, character by character. They are drawn for up to
{limits["gates"]:,} characters: select a part of a longer text above.</p>
<p><label><input type="checkbox" id="why"> Tell why each entity is found, too: what
each character adds to it (up to {limits["why"]:,} characters, which take some
seconds)</label></p>
<div class="controls">
<button id="open-gates" aria-describedby="gates-note">Open the gates</button>
<span id="gates-note" role="status"></span>
</div>
<p id="gates-problem" class="problem" role="alert"></p>
<iframe id="gates" title="The gates of the LSTM" sandbox="allow-scripts" hidden>
</iframe>
</section>"""


def _file(limits: Mapping[str, int]) -> str:
    return f"""<section aria-labelledby="file-title" id="file-part">
<h2 id="file-title">A file of texts</h2>
<p class="note">A .txt file with a text a line, or a .jsonl file with
<code>{{"text": "…"}}</code> a line, up to {limits["file"] // 1_000_000} MB. You get
a line of JSON for each, with <code>entities</code> (those above the threshold; in
characters of the text, from 0) and all that was there before, as it was written. A
line that cannot be read is kept, with <code>error</code>. In a file that has
<code>entities</code> or <code>error</code> of its own these stay, and the new ones are
<code>lstm_ner_entities</code> and <code>lstm_ner_error</code>.</p>
<p><label for="file">Choose a file, or drop it on this page</label>
<input type="file" id="file" accept=".txt,.jsonl,.ndjson,text/plain"></p>
<div id="file-progress" class="controls" hidden>
<progress id="progress" aria-labelledby="file-status"></progress>
<button id="cancel">Cancel</button>
</div>
<p id="file-status" role="status"></p>
<p id="file-problem" class="problem" role="alert"></p>
<button id="download" hidden>Download as JSON lines</button>
</section>"""
