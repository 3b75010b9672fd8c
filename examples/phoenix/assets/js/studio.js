// The scripts: their tabs, what is typed, what compilers say of it, uploading, and how they do when they run.

import { placeOf, words } from "./errors.js";
import { SCRIPTS, tried } from "./scripts.js";
import { source, upload, UploadError } from "./upload.js";

const element = (id) => document.getElementById(id);
// So long after the last key the text is checked.
const IDLE_MS = 700;

export class Studio {
  constructor({ editor, compiler, token }) {
    Object.assign(this, { editor, compiler, token, may: true, checks: 0 });
    /** @type {Map<string, {script: object, tab: HTMLElement, document: any, saved: string, version: number, heard: number, sent: number | null, error: object | null}>} */
    this.entries = new Map();
    this.current = null;
  }

  async start() {
    for (const script of SCRIPTS) this.entries.set(script.name, { script, tab: this.#tab(script), document: null, saved: "", version: 0, heard: 0, sent: null, error: null });
    element("run").addEventListener("click", () => this.run());
    element("revert").addEventListener("click", () => this.editor.replace(this.current.saved));
    element("tries").addEventListener("change", ({ target }) => this.#try(Number(target.value)));
    if (/Mac|iPhone|iPad/.test(navigator.platform)) element("run").querySelector("kbd").textContent = "⌘ ↵";
    await this.open(SCRIPTS[0].name);
  }

  /** Shows a script's tab. */
  async open(name) {
    const entry = this.entries.get(name);
    if (!entry || entry === this.current) return;
    if (this.current) this.current.document = this.editor.state;
    this.current = entry;
    for (const { tab } of this.entries.values()) tab.setAttribute("aria-selected", String(tab === entry.tab));
    for (const { tab } of this.entries.values()) tab.tabIndex = tab === entry.tab ? 0 : -1;
    element("editor").setAttribute("aria-labelledby", entry.tab.id);
    this.#offer(entry.script);
    this.tell("");
    if (!entry.document) await this.#load(entry);
    if (this.current !== entry) return;
    this.editor.show(entry.document);
    this.#about(entry);
    this.#show(entry);
    this.#later();
  }

  // What runs now; what was typed and not run stays typed over a reload.
  async #load(entry) {
    const { name, file, language } = entry.script;
    try {
      const { version, sources = [] } = await source(name);
      entry.version = Math.max(entry.version, version);
      entry.saved = (sources.find((one) => one.file.endsWith(file)) ?? sources[0])?.text ?? "";
    } catch (error) {
      this.tell(`${file} could not be loaded: ${error.message}`, "bad");
    }
    entry.document = this.editor.document(language, sessionStorage.getItem(`draft ${name}`) ?? entry.saved);
  }

  /** Compiles what is there, and has the world run it. */
  async run() {
    const entry = this.current;
    if (!entry?.document || this.running || !this.may) return;
    const { name, language, file } = entry.script;
    const text = this.editor.text;
    this.running = entry;
    element("run").disabled = true;
    this.tell("compiling …");
    try {
      const began = performance.now();
      const result = await this.compiler.compile(language, file, text);
      if (entry === this.current) this.editor.problems(result.problems);
      if (!result.ok) return this.#refuse(entry, result.problems);
      const took = Math.round(performance.now() - began);
      this.tell(`compiled in ${took} ms, uploading ${kilobytes(result.wasm.length)} …`);
      entry.sent = performance.now();
      const { version, changed } = await upload({ name, language, source: text, wasm: result.wasm, sourceMap: result.sourceMap, token: this.token });
      entry.saved = text;
      sessionStorage.removeItem(`draft ${name}`);
      if (!changed) this.tell(`version ${version} runs already`, "good");
      else if (entry.heard < version) this.tell(`version ${version} is uploaded`, "good");
      entry.version = Math.max(entry.version, version);
      this.#about(entry);
      if (changed) entry.error = null;
      this.#show(entry);
    } catch (error) {
      this.#failed(entry, error);
    } finally {
      this.running = null;
      element("run").disabled = !this.may;
    }
  }

  /** How a script does: a push "script" or "script_error". */
  heard({ script, version, state, error }) {
    const entry = this.entries.get(script);
    if (!entry) return;
    // A version that was not heard of yet; of the first one nobody waits for news.
    const newer = version !== null && version > entry.heard;
    const first = entry.heard === 0;
    if (newer) {
      entry.heard = version;
      entry.version = Math.max(entry.version, version);
    }
    entry.error = state === "running" ? null : error;
    entry.tab.dataset.state = entry.error ? "failing" : "running";
    if (newer && entry.sent !== null) {
      if (!entry.error) this.tell(`version ${version} runs, ${((performance.now() - entry.sent) / 1000).toFixed(1)} s after its upload`, "good");
      entry.sent = null;
    }
    // Another visitor's version, where nothing was typed here.
    else if (newer && !first && entry !== this.running && entry.document && !sessionStorage.getItem(`draft ${script}`)) this.#again(entry);
    if (entry === this.current) {
      this.#about(entry);
      this.#show(entry);
    }
  }

  async #again(entry) {
    await this.#load(entry);
    if (entry === this.current) this.editor.show(entry.document);
  }

  edited() {
    const { script, saved } = this.current;
    if (this.editor.text === saved) sessionStorage.removeItem(`draft ${script.name}`);
    else sessionStorage.setItem(`draft ${script.name}`, this.editor.text);
    this.editor.failed(null);
    this.#later();
  }

  /** Whether this visitor may run anything. */
  allow(may) {
    this.may = may;
    element("run").disabled = !may;
    if (!may) this.tell("you may look, and not change: the page needs its token");
  }

  tell(text, mood = "") {
    Object.assign(element("told"), { textContent: text, className: mood });
  }

  #later() {
    clearTimeout(this.check);
    const number = ++this.checks;
    this.check = setTimeout(async () => {
      const { language, file } = this.current.script;
      const { problems } = await this.compiler.compile(language, file, this.editor.text);
      if (number === this.checks && !this.running) this.editor.problems(problems);
    }, IDLE_MS);
  }

  #refuse(entry, problems) {
    const [first] = problems.filter(({ severity }) => severity === "error");
    const more = problems.length > 1 ? `, and ${problems.length - 1} more` : "";
    this.tell(`not uploaded: ${entry.script.file} does not compile`, "bad");
    this.#problem(`Line ${first.line}: ${first.message}${more}`, "The version before goes on running.", first);
  }

  #failed(entry, error) {
    this.tell("not taken", "bad");
    const place = error instanceof UploadError && error.line ? { line: error.line, column: error.column ?? 1 } : null;
    if (place) this.editor.problems([{ ...place, endColumn: place.column + 1, severity: "error", message: error.message }]);
    this.#problem(error.message, "The version before goes on running.", place);
  }

  // The error of a script that fails when it runs, with its line.
  #show(entry) {
    const { error, script } = entry;
    if (!error) {
      this.editor.failed(null);
      return this.#problem(null);
    }
    const place = placeOf(error, script.file);
    const same = this.editor.text === entry.saved;
    if (same) this.editor.failed(place);
    const where = place ? `Line ${place.line}: ` : "";
    const times = error.count > 1 ? `It failed ${error.count} times; ` : "";
    this.#problem(where + words(error), `${times}whoever fails too often stands still until another version comes.`, place, error.message);
  }

  #problem(title, about, place, details) {
    const box = element("problem");
    const key = JSON.stringify([title, place]);
    if (title === null || box.dataset.key !== key) box.replaceChildren();
    box.hidden = title === null;
    if (title === null || box.dataset.key === key) return void (box.dataset.key = title === null ? "" : key);
    box.dataset.key = key;
    const heading = document.createElement(place ? "button" : "strong");
    heading.textContent = title;
    if (place) heading.addEventListener("click", () => this.editor.goTo(place));
    const words_ = document.createElement("p");
    words_.textContent = about;
    box.append(heading, words_);
    if (details) words_.title = details;
  }

  #about({ script, version }) {
    element("about").textContent = `version ${version || "?"}, run by ${script.who}`;
  }

  #offer({ tries }) {
    const options = tries.map(([label], at) => new Option(label, String(at)));
    element("tries").replaceChildren(new Option("Try a change …", ""), ...options);
  }

  #try(at) {
    const choice = this.current.script.tries[at];
    element("tries").value = "";
    if (!choice) return;
    const text = tried(this.editor.text, choice[1]) ?? tried(this.current.saved, choice[1]);
    if (text === null) return this.tell("that change does not fit what is written here now", "bad");
    this.editor.replace(text);
    this.run();
  }

  #tab({ name, file }) {
    const tab = document.createElement("button");
    Object.assign(tab, { type: "button", id: `tab-${name}`, tabIndex: -1 });
    tab.setAttribute("role", "tab");
    tab.setAttribute("aria-controls", "editor");
    tab.innerHTML = `<span class="dot" aria-hidden="true"></span>`;
    tab.append(file);
    tab.addEventListener("click", () => this.open(name));
    tab.addEventListener("keydown", ({ key }) => {
      const to = { ArrowRight: tab.nextElementSibling, ArrowLeft: tab.previousElementSibling }[key];
      to?.focus();
      to?.click();
    });
    element("tabs").append(tab);
    return tab;
  }
}

const kilobytes = (bytes) => `${(bytes / 1024).toFixed(1)} kB`;
