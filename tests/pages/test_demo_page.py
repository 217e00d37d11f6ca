"""The demo page, in a browser, with its server."""

import json
from pathlib import Path

import pytest

from spacy_lstm_ner.pages.colors import label_styles
from spacy_lstm_ner.util.text import is_control, probability_text

from ..helpers.browser import HOSTILE, PHONE, fits_the_width
from ..helpers.pipelines import found

# The pipeline of the tests assigns high probabilities to some of its entities only.
TEXT = "李明任北京大学教授，曾在清华大学读书，汉族，中国国籍，现任公司副总经理。"
# Several code points each, most of which have two UTF-16 code units.
EMOJI = "👨‍👩‍👧🇨🇳👍🏽"


def read(page, text):
    """Paste a text, and wait for its entities."""
    page.locator("#text").evaluate(
        "(box, text) => { box.value = text; box.dispatchEvent(new Event('input')); }",
        text,
    )
    page.locator("#read").click()
    page.locator("#result[aria-busy=false]").wait_for()


def marked(page):
    return page.locator("#result mark").evaluate_all(
        "marks => marks.map(m => [+m.dataset.start, +m.dataset.end, m.dataset.label])"
    )


def shown(page):
    """The text of the result, without labels."""
    return page.locator("#result").evaluate(
        "e => { const c = e.cloneNode(true);"
        "c.querySelectorAll('.label').forEach(l => l.remove()); return c.textContent; }"
    )


def middle(scores):
    """A threshold between the lowest and the highest score."""
    return f"{(min(scores) + max(scores)) / 2:.2f}"


# A text


def test_entities_and_probabilities_appear_while_typing(open_demo, trained):
    page = open_demo()
    page.locator("#text").fill("")
    page.get_by_text("The text is empty.").wait_for()
    page.locator("#text").type(TEXT)
    page.locator("#result mark").first.wait_for()
    page.locator("#result").get_by_text("。").wait_for()
    doc = trained(TEXT)
    assert marked(page) == [list(entity) for entity in found(doc)]
    assert shown(page) == TEXT
    scores = doc.spans["lstm_ner"].attrs["scores"]
    labels = [
        f"{ent.label_} {probability_text(score)}"
        for ent, score in zip(doc.ents, scores, strict=True)
    ]
    assert page.locator("#result .label").all_text_contents() == labels
    colors = page.locator("#result mark").evaluate_all(
        "marks => marks.map(m => getComputedStyle(m).backgroundColor)"
    )
    by_label = dict(zip([ent.label_ for ent in doc.ents], colors, strict=True))
    assert len(set(by_label.values())) == len(by_label) > 3
    # The same for screen readers.
    status = page.locator("#summary[role=status]").text_content()
    assert status.startswith(f"{len(doc.ents)} of {len(doc.ents)} entities")
    assert f"{doc.ents[0].text} {labels[0]}" in status
    page.locator("#table summary").click()
    page.locator("#table tbody tr").first.wait_for()
    rows = page.locator("#table tbody tr").all_inner_texts()
    assert [row.split("\t")[:2] for row in rows] == [
        [ent.text, ent.label_] for ent in doc.ents
    ]
    assert len(page.locator("#labels li").all_inner_texts()) == len(by_label)


def test_the_slider_filters_without_a_new_request(open_demo, trained):
    page = open_demo()
    read(page, TEXT * 3)
    page.locator("#table summary").click()
    scores = trained(TEXT * 3).spans["lstm_ner"].attrs["scores"].tolist()
    threshold = middle(scores)
    kept = sum(score >= float(threshold) for score in scores)
    assert 0 < kept < len(scores), "the test would show nothing"
    requests = []
    page.on("request", lambda request: requests.append(request.url))
    page.locator("#threshold").fill(threshold)
    page.get_by_text(f"{kept} of {len(scores)} entities").wait_for()
    assert page.locator("#result mark").count() == kept
    assert page.locator("#table tbody tr").count() == kept
    assert page.locator("#threshold-value").inner_text() == threshold
    assert shown(page) == TEXT * 3
    page.locator("#threshold").fill("0")
    page.get_by_text(f"{len(scores)} of {len(scores)} entities").wait_for()
    assert not requests


def test_hostile_text_is_shown_as_text(open_demo, trained):
    page = open_demo()
    for hostile in HOSTILE:
        text = hostile.encode("utf8", "replace").decode() + TEXT
        read(page, text)
        assert shown(page) == "".join(
            f"U+{ord(char):04X}" if is_control(char) else char for char in text
        )
        assert marked(page) == [list(entity) for entity in found(trained(text))]
        assert page.locator("#result").evaluate(
            "e => [...e.querySelectorAll('*')].every(x =>"
            " ['DIV', 'MARK', 'SPAN'].includes(x.tagName))"
        )
    # In the table, and in the gates.
    read(page, "".join(HOSTILE).encode("utf8", "replace").decode() + TEXT)
    page.locator("#table summary").click()
    page.locator("#table tbody tr").first.wait_for()
    page.locator("#open-gates").click()
    page.locator("#gates .units").first.wait_for()
    assert page.locator("#gates :is(script, img, b)").count() == 0
    assert "run" not in page.title()


def test_fifty_thousand_characters_are_shown_as_text(open_demo):
    page = open_demo()
    text = "<script>document.title = 'run'</script>\u202e" * 1_250
    read(page, text)
    assert "run" not in page.title()
    assert shown(page) == text.replace("\u202e", "U+202E")
    assert fits_the_width(page)
    assert "the limit is 1,000" in page.locator("#gates-note").inner_text()
    assert page.locator("#open-gates").is_disabled()


def test_a_text_that_is_too_long(open_demo):
    page = open_demo()
    page.locator("#text").evaluate(
        "box => { box.value = '😀'.repeat(100001);"
        "box.dispatchEvent(new Event('input')); }"
    )
    problem = page.locator("#text-problem[role=alert]").inner_text()
    assert "100,001 characters, the limit is 100,000" in problem
    read(page, TEXT)
    assert page.locator("#text-problem").inner_text() == ""


def test_control_characters_are_those_of_the_other_pages(open_demo):
    """The script has a regular expression for it, util/text.py a function."""
    page = open_demo()
    hidden = page.evaluate(
        "Array.from({length: 0x110000}, (_, k) => k)"
        ".filter(k => CONTROL.test(String.fromCodePoint(k)))"
    )
    assert hidden == [
        k for k in range(0x110000) if is_control(chr(k)) and chr(k) not in "\n\t"
    ]


def test_labels_have_the_colors_of_the_other_pages(open_demo, trained):
    page = open_demo()
    styles = label_styles(trained.get_pipe("lstm_ner").labels)
    assert page.evaluate("data.styles") == styles
    read(page, TEXT)
    for label, style in styles.items():
        for mark in page.locator(f"#result mark[data-label={label}]").all():
            assert mark.get_attribute("class") == style
    # Labels that the pipeline has not named, such as those of an entity ruler.
    others = page.evaluate("['人名', '😀', '人名'].map(styleOf)")
    assert others[0] == others[2] != others[1]
    assert not {*others} & {*styles.values()}


def test_an_example_is_a_click_away(open_demo, trained):
    page = open_demo()
    examples = page.locator("[data-example]")
    labels = examples.all_inner_texts()
    assert labels == sorted(labels) and {"NAME", "ORG", "TITLE"} <= {*labels}
    for label, button in zip(labels, examples.all(), strict=True):
        button.click()
        page.locator(f"#result mark[data-label={label}]").first.wait_for()
        text = page.locator("#text").input_value()
        assert label in [ent.label_ for ent in trained(text).ents]


def test_offsets_after_emoji(open_demo, trained):
    page = open_demo()
    text = EMOJI + TEXT
    read(page, text)
    assert marked(page) == [list(entity) for entity in found(trained(text))]
    assert "副总经理" in page.locator("#result mark").last.inner_text()
    assert shown(page) == text


def test_a_server_that_does_not_respond(open_demo):
    page = open_demo()
    page.route("**/entities", lambda route: route.abort())
    page.locator("#read").click()
    page.get_by_text("The server does not respond").wait_for()
    assert page.locator("#result mark").count() == 0
    page.locator("#file").set_input_files(a_file("a.txt", TEXT))
    page.locator("#file-problem").get_by_text("The server does not respond").wait_for()
    assert page.locator("#download").is_hidden()
    open_demo.errors.clear()  # the error of the browser about the request


# The gates


def test_gates_with_attribution(open_demo):
    page = open_demo()
    read(page, TEXT)
    page.locator("#attribution").check()
    page.locator("#open-gates").click()
    gates = page.locator("#gates")
    gates.locator(".char").nth(1).hover()
    gates.locator("#words").get_by_text(f"character 2 of {len(TEXT)}").wait_for()
    assert TEXT[1] in gates.locator("#words").inner_text()
    gates.get_by_role("heading", name="Attribution").wait_for()


def test_gates_are_on_the_page_itself(open_demo):
    """As wide as the text, in lines that fit the page, and not in a scroll box."""
    page = open_demo()
    read(page, TEXT[:8])
    page.locator("#open-gates").click()
    page.locator("#gates .char").first.wait_for()
    short = page.locator("#gates .line").bounding_box()["width"]
    assert short < 400
    read(page, TEXT * 3)
    page.locator("#open-gates").click()
    page.locator("#gates .line").nth(2).wait_for()
    assert page.locator("#gates .char").count() == len(TEXT) * 3
    assert page.main_frame.child_frames == []
    scrolled = page.locator("#gates, #gates :is(.picture, .line, .columns)")
    assert scrolled.evaluate_all(
        "all => all.every(e => getComputedStyle(e).overflowX === 'visible' &&"
        " getComputedStyle(e).overflowY === 'visible')"
    )
    # In a narrower window, there are more lines.
    lines = page.locator("#gates .line").count()
    page.set_viewport_size(PHONE)
    page.locator("#gates .line").nth(lines).wait_for()
    assert fits_the_width(page)
    page.locator("#picture").focus()
    page.keyboard.press("End")
    words = page.locator("#words").inner_text()
    assert f"character {len(TEXT) * 3} of {len(TEXT) * 3}" in words


def test_gates_of_the_selected_text(open_demo):
    page = open_demo()
    read(page, TEXT * 50)
    assert page.locator("#open-gates").is_disabled()
    page.locator("#text").evaluate("e => { e.focus(); e.setSelectionRange(0, 4); }")
    page.get_by_text("Selected text: 4 characters").wait_for()
    page.locator("#open-gates").click()
    page.locator("#gates .char").first.wait_for()
    assert page.locator("#gates .char").all_inner_texts() == list(TEXT[:4])


# A file


def a_file(name, text):
    content = text if isinstance(text, bytes) else text.encode()
    return {"name": name, "mimeType": "", "buffer": content}


def downloaded(page):
    with page.expect_download() as download:
        page.locator("#download").click()
    path = download.value.path()
    content = Path(path).read_text("utf8")
    assert content.endswith("\n")
    return download.value.suggested_filename, content


def test_a_file_of_json_lines_comes_back_with_entities(open_demo, trained):
    page = open_demo()
    lines = [
        '{"id": 12345678901234567890, "text": "王芳任教授", "文": 1.0}',
        "",
        "no JSON",
        '{"txt": 1}',
        json.dumps({"text": EMOJI + TEXT}),
        json.dumps({"text": "王" * 100_001}),
    ]
    page.locator("#file").set_input_files(a_file("简历.jsonl", "\r\n".join(lines)))
    page.get_by_text("5 of 5 lines read").wait_for()
    status = page.locator("#file-status[role=status]").inner_text()
    assert "3 lines could not be read: " in status and "line 3: not JSON" in status
    assert page.locator("#progress").is_hidden()
    name, content = downloaded(page)
    assert name == "简历.entities.jsonl"
    # Unchanged, although JavaScript would round the number.
    assert content.startswith(lines[0][:-1] + ',"entities":[{')
    first, bad, wrong, emoji, long = map(json.loads, content.splitlines())
    assert list(first) == ["id", "text", "文", "entities"]
    assert bad == {"line": 3, "text": "no JSON", "error": "line 3: not JSON"}
    assert wrong["txt"] == 1 and wrong["error"].startswith('line 4: "text" is missing')
    assert "100,001 characters" in long["error"] and len(long["text"]) == 100_001
    doc = trained(EMOJI + TEXT)
    scores = doc.spans["lstm_ner"].attrs["scores"].tolist()
    assert emoji["entities"] == [
        {
            "start": ent.start_char,
            "end": ent.end_char,
            "label": ent.label_,
            "text": ent.text,
            "score": pytest.approx(score, abs=1e-4),
        }
        for ent, score in zip(doc.ents, scores, strict=True)
    ]
    # Entities below the threshold are not downloaded.
    threshold = middle(scores)
    page.locator("#threshold").fill(threshold)
    rest = json.loads(downloaded(page)[1].splitlines()[3])["entities"]
    assert rest == [e for e in emoji["entities"] if e["score"] >= float(threshold)]
    assert 0 < len(rest) < len(emoji["entities"])


def test_keys_of_the_file_are_not_overwritten(open_demo, trained):
    page = open_demo()
    lines = [
        json.dumps({"text": TEXT, "entities": [[0, 2, "GOLD"]]}, ensure_ascii=False),
        json.dumps({"text": TEXT}),
        '{"entities": "theirs", "lstm_ner_entities": null, "error": 7}',
        '{"a": 1, "a": 2, "text": "\\ud800王芳"} ',
        "{}",
        "no JSON",
    ]
    page.locator("#file").set_input_files(a_file("a.jsonl", "\n".join(lines)))
    page.get_by_text("6 of 6 lines read").wait_for()
    status = page.locator("#file-status").inner_text()
    assert (
        'already contains "entities": the new ones are called "lstm_ner_ent' in status
    )
    assert 'already contains "error": the new ones are called "lstm_ner_err' in status
    _, content = downloaded(page)
    rows = content.splitlines()
    for line, row in zip(lines[:5], rows, strict=False):
        assert row.startswith(line.rstrip()[:-1])
    gold, plain, bad, odd, empty, none = map(json.loads, rows)
    # The same name in all lines.
    ours, error = "lstm_ner_entities_2", "lstm_ner_error"
    assert gold["entities"] == [[0, 2, "GOLD"]] and "entities" not in plain
    assert len(gold[ours]) == len(plain[ours]) == len(found(trained(TEXT))) > 0
    assert (bad["entities"], bad["lstm_ner_entities"], bad["error"]) == (
        *("theirs", None),
        7,
    )
    assert bad[error].startswith("line 3") and ours in odd
    assert empty == {error: 'line 5: "text" is missing or not a string'}
    assert none == {"line": 6, "text": "no JSON", error: "line 6: not JSON"}


def test_requests_for_a_file_are_repeated_if_the_server_is_busy(open_demo):
    page = open_demo()
    said = "Too many requests wait already: try again in 1 s."
    times = []

    def be_busy(route):
        times.append(route)
        if len(times) < 3:
            headers = {"Retry-After": "1"}
            route.fulfill(status=503, json={"error": said}, headers=headers)
        else:
            route.continue_()

    page.route("**/entities", be_busy)
    page.locator("#read").click()
    page.locator("#text-problem").get_by_text(said).wait_for()
    page.locator("#file").set_input_files(a_file("a.txt", TEXT))
    page.locator("#file-status").get_by_text(said).wait_for()
    page.get_by_text("1 of 1 line read").wait_for()
    (line,) = downloaded(page)[1].splitlines()
    assert json.loads(line)["entities"]
    open_demo.errors.clear()  # the errors of the browser about the status


def test_a_file_of_lines_in_another_encoding(open_demo):
    page = open_demo()
    text = f"{TEXT}\n\n<b>{TEXT}</b>\n"
    page.locator("#file").set_input_files(a_file("a.txt", text.encode("gb18030")))
    page.get_by_text("3 of 3 lines read").wait_for()
    assert "GB18030" in page.locator("#file-status").inner_text()
    lines = [json.loads(line) for line in downloaded(page)[1].splitlines()]
    assert [line["text"] for line in lines] == [TEXT, "", f"<b>{TEXT}</b>"]
    assert lines[0]["entities"] and not lines[1]["entities"] and lines[2]["entities"]


def test_progress_is_shown_and_can_be_cancelled(open_demo):
    page = open_demo()
    answered = []

    def hold_the_third(route):
        answered.append(route)
        if len(answered) < 3:
            route.continue_()

    page.route("**/entities", hold_the_third)
    page.locator("#file").set_input_files(a_file("a.txt", f"{TEXT}\n" * 200))
    page.get_by_text("128 of 200 lines").wait_for()
    progress = page.get_by_role("progressbar")
    assert (progress.get_attribute("max"), progress.evaluate("p => p.value")) == (
        "200",
        128,
    )
    assert page.locator("#download").is_hidden()
    page.locator("#cancel").click()
    page.get_by_text("Cancelled.").wait_for()
    assert "128 of 200 lines read" in page.locator("#file-status").inner_text()
    assert len(downloaded(page)[1].splitlines()) == 128
    open_demo.errors.clear()  # the error of the browser about the request


def test_one_rejected_text_does_not_affect_the_others(open_demo):
    page = open_demo()

    def refuse(route):
        if "毒" in route.request.post_data_json["texts"]:
            route.fulfill(status=500, json={"error": "The pipeline failed"})
        else:
            route.continue_()

    page.route("**/entities", refuse)
    texts = [TEXT, "毒", TEXT, TEXT, TEXT]
    page.locator("#file").set_input_files(a_file("a.txt", "\n".join(texts)))
    page.get_by_text("5 of 5 lines read").wait_for()
    lines = [json.loads(line) for line in downloaded(page)[1].splitlines()]
    assert [line["text"] for line in lines] == texts
    assert ["error" in line for line in lines] == [text == "毒" for text in texts]
    open_demo.errors.clear()  # the errors of the browser about the status


def test_files_that_cannot_be_read(open_demo):
    page = open_demo()
    problem = page.locator("#file-problem[role=alert]")
    for content, says in ((b"", "is empty"), (b"\xff\xff\xff", "neither UTF-8")):
        page.locator("#file").set_input_files(a_file("a.txt", content))
        problem.get_by_text(says).wait_for()
        assert page.locator("#download").is_hidden()
    assert page.evaluate("data.limits.file") == 20_000_000
    page.evaluate("data.limits.file = 20")
    page.locator("#file").set_input_files(a_file("a.txt", b"a" * 21))
    problem.get_by_text("Split it").wait_for()


# How it looks


def test_on_a_phone(open_demo):
    page = open_demo(viewport=PHONE)
    read(page, TEXT + "a" * 500 + "王芳" * 500)
    page.locator("#text").evaluate("e => e.setSelectionRange(0, 20)")
    page.locator("#table summary").click()
    page.locator("#open-gates").click()
    page.locator("#gates .units").first.wait_for()
    assert fits_the_width(page)
    for control in page.locator("button:visible, input:visible").all():
        box = control.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= PHONE["width"], control


def test_chinese_characters_are_drawn(open_demo):
    """Without a font for them, all look like an unassigned character."""
    page = open_demo()
    pictures = page.evaluate(
        """() => ["王", "王", "芳", "\\u{10fffd}"].map((char) => {
          const canvas = document.createElement("canvas");
          const context = canvas.getContext("2d");
          const style = getComputedStyle(document.getElementById("result"));
          context.font = `40px ${style.fontFamily}`;
          context.fillText(char, 20, 60);
          return canvas.toDataURL();
        })"""
    )
    assert pictures[0] == pictures[1]
    assert len(set(pictures)) == 3, "install a Chinese font, such as fonts-noto-cjk"


def test_names_for_screen_readers(open_demo):
    page = open_demo()
    for role, name in (
        ("textbox", "Text"),
        ("slider", "Minimum probability"),
        ("button", "Find entities"),
        ("button", "Show the gates"),
        ("group", "The text with its entities"),
    ):
        assert page.get_by_role(role, name=name, exact=True).count() == 1, name
    assert page.get_by_label("Drop a file on this page").count() == 1
