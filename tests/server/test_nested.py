"""The server and its page with a pipeline whose entities overlap."""

from spacy_lstm_ner.inspect import open_gates

from ..helpers.pipelines import loaded_again
from ..helpers.requests import ask, entities
from ..helpers.service import needs_server, serving

TEXT = "4月27日，泓霁化工公司在中国（绵阳）自由贸易区设立海口大学音乐系。"


def test_all_entities_are_served(trained_nested):
    needs_server()
    doc = trained_nested(TEXT)
    with serving(lambda: loaded_again(trained_nested), all_entities=True) as server:
        (found,) = entities(server, TEXT)
        assert [(e["start"], e["end"], e["label"]) for e in found] == [
            (span.start_char, span.end_char, span.label_) for span in doc.spans["sc"]
        ]
        assert all(0 < entity["score"] <= 1 for entity in found)
        assert any(
            a["start"] <= b["start"] and b["end"] <= a["end"] and a != b
            for a in found
            for b in found
        )
        status, _, answer = ask(server, "POST", "/gates", {"text": TEXT})
        assert status == 200
        gates = open_gates(trained_nested, TEXT)
        assert answer["data"]["paths"] == gates.paths.tolist()


def test_the_page_shows_the_text_once(trained_nested, browser):
    """Entities inside of others are in the table only."""
    needs_server()
    with serving(
        lambda: loaded_again(trained_nested), page=True, all_entities=True
    ) as server:
        host, port = server.server_address[:2]
        page = browser.new_page()
        page.goto(f"http://{host}:{port}/")
        page.locator("#text").fill(TEXT)
        page.locator("#read").click()
        page.wait_for_selector("#result mark")
        marked = page.eval_on_selector_all(
            "#result mark",
            "marks => marks.map(m => [+m.dataset.start, +m.dataset.end])",
        )
        page.locator("#table summary").click()
        # The table is filled when it is opened.
        page.wait_for_selector("#table tbody tr")
        rows = page.locator("#table tbody tr").count()
        page.close()
    ends = 0
    for start, end in marked:
        assert start >= ends
        ends = end
    assert rows > len(marked)
