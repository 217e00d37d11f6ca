"use strict";
// Sends texts to the server and shows what it finds. What users type, and what their files
// hold, goes onto the page as text and never as HTML.

const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const LIVE = 2000; // characters that are read while they are typed
const PAUSE = 250; // milliseconds without a key, after which they are

// ---- Texts. The server counts characters (code points), strings are in UTF-16.

function size(text) {
  let n = 0;
  for (const _ of text) n++;
  return n;
}

const count = (n) => n.toLocaleString("en");
const many = (n, one, more = `${one}s`) => `${count(n)} ${n === 1 ? one : more}`;
const characters = (n) => many(n, "character");
const entities = (n) => many(n, "entity", "entities");

// What has no shape, or turns the direction of text, as page.py has it.
const SHAPELESS =
  /((?:(?![\n\t])[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069])+)/u;

// Text for the page, in which nothing is hidden.
function visible(text) {
  const part = document.createDocumentFragment();
  text.split(SHAPELESS).forEach((piece, k) => {
    if (k % 2 === 0) part.append(piece);
    else for (const char of piece) part.append(shapeless(char));
  });
  return part;
}

function shapeless(char) {
  const code = char.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
  return element("span", { className: "shapeless" }, `U+${code}`);
}

function element(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function confidence(score) {
  if (score > 0 && score < 0.01) return "<0.01";
  if (score > 0.99 && score < 1) return ">0.99";
  return score.toFixed(2);
}

// ---- The server

// An answer of the server that says why there is none.
class Refused extends Error {}

// Too many requests wait: the same one may be sent again after some seconds.
class Busy extends Error {
  constructor(said, seconds) {
    super(said);
    this.seconds = seconds;
  }
}

async function ask(path, question, signal) {
  let response, answer;
  try {
    response = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(question),
      signal,
    });
    answer = await response.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The server does not answer. Is it still running in its terminal?");
  }
  if (response.status === 503) {
    const seconds = Number(response.headers.get("Retry-After"));
    throw seconds ? new Busy(answer.error, seconds) : new Error(answer.error);
  }
  if (!response.ok) throw new Refused(answer.error);
  return answer;
}

// ---- The text

let found = null; // { points, entities, hues }: what was found, and where
let reading = null; // ends the request that is on its way

const threshold = () => Number($("threshold").value);
// Where there are no probabilities, nothing can be left out.
const probable = (entity) => entity.score === null || entity.score >= threshold();

async function read() {
  reading?.abort();
  reading = null;
  clearTimeout(pause);
  const text = $("text").value;
  const n = size(text);
  if (tooLong(n)) return;
  const request = (reading = new AbortController());
  $("result").setAttribute("aria-busy", "true");
  if (n > LIVE) $("summary").textContent = "Reading…";
  try {
    const answer = await ask("entities", { texts: [text] }, request.signal);
    found = { points: [...text], entities: answer.entities[0], hues: answer.hues };
    $("text-problem").textContent = "";
  } catch (error) {
    if (error.name === "AbortError") return;
    found = null;
    $("text-problem").textContent = error.message;
  }
  reading = null;
  $("result").setAttribute("aria-busy", "false");
  draw();
}

// Tells whether a text is too long, here and on the page.
function tooLong(n) {
  const isTooLong = n > data.limits.text;
  $("text-problem").textContent = isTooLong
    ? `${characters(n)}: up to ${count(data.limits.text)} are read at once. Shorten the text, ` +
      "or make it a file with a text a line, and open that below."
    : "";
  return isTooLong;
}

function draw() {
  $("threshold-value").textContent = threshold().toFixed(2);
  const { points, entities: all } = found ?? { points: [], entities: [] };
  const wanted = all.filter(probable);
  const lines = [element("div", {})];
  const add = (text) => {
    for (const piece of text.split(/(?<=\n)/)) {
      lines.at(-1).append(visible(piece));
      if (piece.endsWith("\n")) lines.push(element("div", {}));
    }
  };
  let done = 0;
  for (const entity of wanted) {
    add(points.slice(done, entity.start).join(""));
    lines.at(-1).append(mark(entity));
    done = entity.end;
  }
  add(points.slice(done).join(""));
  $("result").classList.toggle("long", lines.length > 100);
  $("result").replaceChildren(...lines);
  drawLabels(wanted);
  drawTable();
  drawSummary(wanted, all.length);
}

function drawSummary(wanted, n) {
  const said = !found ? "" : !found.points.length ? "There is no text."
    : n ? `${count(wanted.length)} of ${entities(n)}` : "No entity was found.";
  // Listeners hear the first ones; all of them are in the table.
  const listed = wanted.slice(0, 10).map((entity) => `${textOf(entity)} ${caption(entity)}`);
  const heard = listed.length ? `: ${listed.join(", ")}` : "";
  $("summary").replaceChildren(said, element("span", { className: "said" }, visible(heard)));
}

const caption = ({ label, score }) => (score === null ? label : `${label} ${confidence(score)}`);
const textOf = (entity) => found.points.slice(entity.start, entity.end).join("");
const coloured = (made, label) => {
  made.style.setProperty("--hue", found.hues[label]);
  return made;
};

function mark(entity) {
  const { label, start, end, score } = entity;
  const made = element("mark", {}, visible(textOf(entity)));
  made.append(element("span", { className: "label" }, caption(entity)));
  Object.assign(made.dataset, { label, start, end });
  if (score !== null) made.dataset.score = score.toFixed(4);
  return coloured(made, label);
}

function drawLabels(entities) {
  const counts = new Map();
  for (const { label } of entities) counts.set(label, (counts.get(label) ?? 0) + 1);
  const labels = [...counts].sort(([one], [other]) => (one < other ? -1 : 1));
  $("labels").replaceChildren(
    ...labels.map(([label, n]) => coloured(element("li", {}, `${label} ${count(n)}`), label)),
  );
}

function drawTable() {
  if (!$("table").open || found === null) return;
  const rows = found.entities.filter(probable).map((entity) =>
    element("tr", {},
      element("td", { dir: "auto" }, visible(textOf(entity))),
      element("td", {}, entity.label),
      element("td", {}, entity.score === null ? "not known" : confidence(entity.score)),
      element("td", {}, `${count(entity.start)} to ${count(entity.end)}`)));
  $("table").querySelector("tbody").replaceChildren(...rows);
}

let pause = null;
function typed() {
  const n = size($("text").value);
  $("text-size").textContent = characters(n);
  noteGates();
  clearTimeout(pause);
  if (tooLong(n)) return;
  if (n <= LIVE) pause = setTimeout(read, PAUSE);
  else $("summary").textContent = "The text has changed since: find its entities with the button.";
}

// While Chinese is put in, there are letters that are no part of the text.
$("text").addEventListener("input", (event) => event.isComposing || typed());
$("text").addEventListener("compositionend", typed);
$("text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    read();
  }
});
$("read").addEventListener("click", read);
$("table").addEventListener("toggle", drawTable);

let drawing = false;
$("threshold").addEventListener("input", () => {
  if (drawing) return;
  drawing = true; // once a picture is enough
  requestAnimationFrame(() => {
    drawing = false;
    draw();
    tellFile();
  });
});

// ---- The gates

function chosenText() {
  const { value, selectionStart, selectionEnd } = $("text");
  const selected = selectionStart < selectionEnd;
  return { selected, text: selected ? value.slice(selectionStart, selectionEnd) : value };
}

function noteGates() {
  if (!data.gates) return;
  const { text, selected } = chosenText();
  const n = size(text);
  const what = selected ? `Of what is selected, ${characters(n)}.`
    : `Of the whole text, ${characters(n)}.`;
  const tooMany = `${what.slice(0, -1)}: they are drawn for up to ` +
    `${count(data.limits.gates)}. Select a part of the text.`;
  $("gates-note").textContent = n > data.limits.gates ? tooMany : what;
  $("open-gates").disabled = n === 0 || n > data.limits.gates;
  $("why").disabled = n > data.limits.why;
}

async function openGates() {
  const why = $("why").checked && !$("why").disabled;
  $("gates-problem").textContent = "";
  $("open-gates").disabled = true;
  $("gates-note").textContent = "Opening…";
  let opened = false;
  try {
    const answer = await ask("gates", { text: chosenText().text, why });
    // The page is made by the server, in which texts are text. It stands in a sandbox
    // besides: it cannot reach this one, nor the server.
    $("gates").srcdoc = answer.page;
    $("gates").hidden = false;
    opened = true;
  } catch (error) {
    $("gates-problem").textContent = error.message;
  }
  noteGates();
  if (opened) $("gates-note").textContent = "They are open, below.";
}

if (data.gates) {
  $("open-gates").addEventListener("click", openGates);
  document.addEventListener("selectionchange", noteGates);
  $("text").addEventListener("select", noteGates);
}

// ---- The file

const CHUNK = { texts: 64, units: 8000 }; // small, so that progress can be seen
let file = null; // { name, lines, names, done, problem, running }: the file that is read

// A line: `before` is what goes out again, JSON without the brace at its end, `text` what is
// to be read; then `entities` are known, or there is an `error`. `keys` are those that the
// line has.
const line = (number, record, rest) =>
  ({ number, before: JSON.stringify(record).slice(0, -1), keys: Object.keys(record), ...rest });
const textLine = (text, number) => line(number, { text }, { text });

function jsonLine(content, number) {
  const bad = (error) => line(number, { line: number, text: content }, { error });
  let record;
  try {
    record = JSON.parse(content);
  } catch {
    return bad("not JSON");
  }
  if (record === null || typeof record !== "object" || Array.isArray(record)) {
    return bad("not a JSON object");
  }
  // As it is written, character by character: numbers may be too large for JavaScript.
  const before = content.trim().slice(0, -1);
  const read = { number, before, keys: Object.keys(record) };
  if (typeof record.text !== "string") {
    return { ...read, error: '"text" is missing, or no string' };
  }
  return { ...read, text: record.text };
}

// Under which names the results of a file go: where one of its lines has such a name itself,
// another one, for all lines.
function namesOf(lines) {
  const theirs = new Set(lines.flatMap(({ keys }) => keys));
  const free = (name) => {
    let ours = name;
    for (let k = 1; theirs.has(ours); k++) ours = `lstm_ner_${name}${k > 1 ? `_${k}` : ""}`;
    return ours;
  };
  return { entities: free("entities"), error: free("error") };
}

function noteNames(names) {
  return Object.entries(names).filter(([name, ours]) => name !== ours).map(([name, ours]) =>
    `The file has "${name}" of its own, which stay: those of this page are "${ours}".`);
}

// Text of a file: Chinese ones that are not in UTF-8 are mostly in GB18030.
function decode(bytes) {
  for (const encoding of ["utf-8", "gb18030"]) {
    try {
      return { content: new TextDecoder(encoding, { fatal: true }).decode(bytes), encoding };
    } catch {
      // The next one.
    }
  }
  throw new Error("The file is neither in UTF-8 nor in GB18030: save it as UTF-8.");
}

function parse(content, name) {
  const lines = content.split(/\r\n|\n|\r/);
  if (lines.at(-1) === "") lines.pop();
  const isJson = /\.(jsonl|ndjson)$/i.test(name);
  const parsed = lines.flatMap((line, k) =>
    isJson ? (line.trim() ? [jsonLine(line, k + 1)] : []) : [textLine(line, k + 1)]);
  for (const line of parsed) {
    const n = line.text?.length > data.limits.text ? size(line.text) : 0;
    if (n > data.limits.text) {
      line.error = `${characters(n)}, at most ${count(data.limits.text)} are read`;
    }
  }
  return parsed;
}

function* chunks(lines) {
  let chunk = [], units = 0;
  for (const line of lines) {
    if (chunk.length === CHUNK.texts || (units && units + (line.text ?? "").length > CHUNK.units)) {
      yield chunk;
      [chunk, units] = [[], 0];
    }
    chunk.push(line);
    units += (line.text ?? "").length;
  }
  if (chunk.length) yield chunk;
}

// Asks again while the server is busy.
async function askPatiently(path, question, signal) {
  for (;;) {
    try {
      return await ask(path, question, signal);
    } catch (error) {
      if (!(error instanceof Busy)) throw error;
      $("file-status").textContent = error.message;
      await new Promise((resolve) => {
        setTimeout(resolve, error.seconds * 1000);
        signal.addEventListener("abort", resolve);
      });
      signal.throwIfAborted();
    }
  }
}

async function readChunk(chunk, signal) {
  const waiting = chunk.filter((line) => !line.error);
  if (!waiting.length) return;
  try {
    const texts = waiting.map((line) => line.text);
    const answer = await askPatiently("entities", { texts }, signal);
    waiting.forEach((line, k) => {
      const points = [...line.text];
      line.entities = answer.entities[k].map(({ start, end, label, score }) =>
        ({ start, end, label, text: points.slice(start, end).join(""), score }));
    });
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    // One text should not spoil the others.
    const half = waiting.length >> 1;
    if (half) {
      await readChunk(waiting.slice(0, half), signal);
      await readChunk(waiting.slice(half), signal);
    } else {
      waiting[0].error = error.message;
    }
  }
}

async function readFile(chosen) {
  file?.running?.abort();
  const running = new AbortController();
  const now = (file = { name: chosen.name, lines: [], names: {}, done: 0, problem: "", notes: [], running });
  try {
    if (chosen.size > data.limits.file) {
      const megabytes = (bytes) => `${Math.ceil(bytes / 1e6)} MB`;
      throw new Error(`The file has ${megabytes(chosen.size)}: up to ` +
        `${megabytes(data.limits.file)} are read. Split it.`);
    }
    const { content, encoding } = decode(await chosen.arrayBuffer());
    if (encoding !== "utf-8") now.notes.push("The file is not in UTF-8: it was read as GB18030.");
    now.lines = parse(content, chosen.name);
    if (!now.lines.length) throw new Error("The file is empty.");
    now.names = namesOf(now.lines);
    now.notes.push(...noteNames(now.names));
    tellFile();
    for (const chunk of chunks(now.lines)) {
      await readChunk(chunk, running.signal);
      if (file !== now) return; // another one was chosen since
      now.done += chunk.length;
      tellFile();
    }
  } catch (error) {
    if (file !== now) return;
    now.problem = error.name === "AbortError" ? "" : error.message;
    if (error.name === "AbortError") now.notes.push("Cancelled.");
  }
  now.running = null;
  tellFile();
}

// How far the file is, and what was found.
function tellFile() {
  if (file === null) return;
  const { lines, done, problem, running, notes } = file;
  $("file-progress").hidden = !running;
  $("progress").max = lines.length || 1;
  $("progress").value = done;
  $("file-problem").textContent = problem;
  $("download").hidden = Boolean(running) || !done;
  if (running) {
    $("file-status").textContent = `${count(done)} of ${many(lines.length, "line")}`;
    return;
  }
  $("file-status").textContent = done ? [...notes, ...summary(lines.slice(0, done))].join(" ") : notes.join(" ");
}

function summary(read) {
  let all = 0, wanted = 0;
  const errors = [];
  for (const line of read) {
    if (line.error) errors.push(errorOf(line));
    for (const entity of line.entities ?? []) {
      all++;
      if (probable(entity)) wanted++;
    }
  }
  const said = [`${file.name}: ${count(read.length)} of ${many(file.lines.length, "line")} read: ` +
    `${count(wanted)} of ${entities(all)}.`];
  if (errors.length) {
    const shown = errors.slice(0, 5).join("; ") + (errors.length > 5 ? "; …" : "");
    const kept = many(errors.length, "line could not be read and is", "lines could not be read and are");
    said.push(`${kept} kept, with the reason: ${shown}.`);
  }
  return said;
}

const errorOf = ({ number, error }) => `line ${number}: ${error}`;

// What goes out for a line.
function written(line) {
  const [name, value] = line.error
    ? [file.names.error, errorOf(line)]
    : [file.names.entities, line.entities.filter(probable)];
  const comma = line.keys.length ? "," : "";
  return `${line.before}${comma}${JSON.stringify(name)}:${JSON.stringify(value)}}\n`;
}

function download() {
  const lines = file.lines.slice(0, file.done).map(written);
  const url = URL.createObjectURL(new Blob(lines, { type: "application/x-ndjson" }));
  const link = element("a", { href: url, download: `${file.name.replace(/\.\w+$/, "")}.entities.jsonl` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

$("file").addEventListener("click", () => {
  $("file").value = ""; // so that the same file can be chosen again
});
$("file").addEventListener("change", () => {
  const [chosen] = $("file").files;
  if (chosen) readFile(chosen);
});
$("cancel").addEventListener("click", () => file.running?.abort());
$("download").addEventListener("click", download);

const hasFile = (event) => event.dataTransfer?.types.includes("Files");
window.addEventListener("dragover", (event) => {
  if (!hasFile(event)) return;
  event.preventDefault();
  document.body.classList.add("dropping");
});
window.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.body.classList.remove("dropping");
});
window.addEventListener("drop", (event) => {
  if (!hasFile(event)) return;
  event.preventDefault();
  document.body.classList.remove("dropping");
  readFile(event.dataTransfer.files[0]);
});

// A text that the browser kept when the page was loaded again counts, too.
$("text-size").textContent = many(size($("text").value), "character");
noteGates();
read();
