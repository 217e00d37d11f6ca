"""Why entities were found, as a page or a part of one."""

from ..interpret.attribution import Explanation, Why
from ..pipeline import Analysis
from .entities import confidence, mark_html
from .page import lang_html, page, text_html

# What adds this much to the log-odds, or takes it, has the strongest colour.
_STRONG = 8.0


def why_page(explanation: Explanation) -> str:
    """A page that tells why the entities of a text were found."""
    return page("Why these entities", why_html(explanation))


def why_html(explanation: Explanation) -> str:
    """The same as a part of a page: for each entity the text, with a colour for what
    each character adds, and the runner-up."""
    if not explanation.entities:
        return "<h2>Why</h2><p>No entity was found.</p>" + _second(explanation)
    parts = ["<h2>Why these entities</h2>", _second(explanation), _KEY]
    parts += [_entity(explanation, why) for why in explanation.entities]
    return "\n".join(parts)


_KEY = """<p class="note">The colour of a character says what it adds to the entity: by
how much its log-odds are lower if an unknown character stands there.
<span class="adds" style="--much: 80%">It adds</span>
<span class="takes" style="--much: 80%">it takes away</span>. The numbers of those that
add most stand below.</p>"""


def _second(explanation: Explanation) -> str:
    margin = explanation.margin
    if margin is None:
        return "<p>There is no other way to read the text.</p>"
    first, second = explanation.analyses[:2]
    return (
        f"<p>The whole text: the best analysis has the probability "
        f"{confidence(first.probability)}; the next one "
        f"{confidence(second.probability)} (margin {margin:.2f}). It differs in: "
        f"{_difference(explanation, second, first)}.</p>"
    )


def _entity(explanation: Explanation, why: Why) -> str:
    text, (start, end, label, score) = explanation.text, why.entity
    lang = lang_html(explanation.lang)
    pieces, done = [], 0
    for (first, last), added in zip(explanation.places, why.added, strict=True):
        pieces.append(text_html(text[done:first]))
        kind = "adds" if added > 0 else "takes"
        much = min(1.0, abs(float(added)) / _STRONG)
        inside = " own" if start <= first < end else ""
        piece = text_html(text[first:last])
        if much >= 0.03 or inside:
            pieces.append(
                f'<span class="{kind}{inside}" style="--much: {much:.0%}" '
                f'title="{_signed(added)}">{piece}</span>'
            )
        else:
            pieces.append(piece)
        done = last
    pieces.append(text_html(text[done:]))
    most = sorted(
        zip(explanation.places, why.added.tolist(), strict=True),
        key=lambda placed: -abs(placed[1]),
    )[:8]
    listed = ", ".join(
        f"<span{lang}>{text_html(text[first:last])}</span> {_signed(added)}"
        for (first, last), added in most
        if abs(added) >= 0.005
    )
    if why.runner_up is None:
        runner_up = "No analysis is without it."
    else:
        best = explanation.analyses[0]
        runner_up = (
            f"The best analysis without it is {_times(why.margin or 0.0)} less probable"
            f" (margin {why.margin:.2f}). It differs in: "
            f"{_difference(explanation, why.runner_up, best)}."
        )
    return (
        f"<section class='why'><h3>"
        f"{mark_html(text[start:end], label, score, lang=explanation.lang)}</h3>"
        f"<div class='text'{lang}>{''.join(pieces)}</div>"
        f"<p>{listed or 'No single character matters.'}</p><p>{runner_up}</p></section>"
    )


def _difference(explanation: Explanation, analysis: Analysis, best: Analysis) -> str:
    """What an analysis has in place of the best one."""

    def mark(start: int, end: int, label: str) -> str:
        text = explanation.text[start:end]
        return mark_html(text, label, None, lang=explanation.lang)

    new = [e for e in analysis.entities if e not in best.entities]
    gone = [e for e in best.entities if e not in analysis.entities]
    said = [mark(*entity) for entity in new]
    if gone:
        places = ", ".join(mark(*entity) for entity in gone)
        said.append(f"{'instead of' if said else 'no'} {places}")
    return " ".join(said)


def _times(margin: float) -> str:
    times = 2.718281828**margin
    return f"{times:.1f} times" if times < 100 else f"{times:,.0f} times"


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")
