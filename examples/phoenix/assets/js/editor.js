// The editor: CodeMirror, with problems of compilers and errors at run time in their lines.

import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { javascript } from "@codemirror/lang-javascript";
import { bracketMatching, indentOnInput, StreamLanguage, syntaxHighlighting } from "@codemirror/language";
import { wast } from "@codemirror/legacy-modes/mode/wast";
import { lintGutter, setDiagnostics } from "@codemirror/lint";
import { EditorState, StateEffect, StateField } from "@codemirror/state";
import { Decoration, drawSelection, EditorView, highlightActiveLine, keymap, lineNumbers } from "@codemirror/view";
import { classHighlighter } from "@lezer/highlight";

const LANGUAGES = {
  assemblyscript: () => javascript({ typescript: true }),
  wat: () => StreamLanguage.define(wast),
};

const mark = StateEffect.define();
const failedLine = Decoration.line({ class: "cm-failed" });

// The line in which the script failed when it ran.
const failed = StateField.define({
  create: () => Decoration.none,
  update(lines, transaction) {
    lines = lines.map(transaction.changes);
    for (const effect of transaction.effects) if (effect.is(mark)) lines = effect.value === null ? Decoration.none : Decoration.set([failedLine.range(effect.value)]);
    return lines;
  },
  provide: (field) => EditorView.decorations.from(field),
});

export class Editor {
  /** @param {HTMLElement} parent @param {{run: () => void, edited: () => void}} on */
  constructor(parent, on) {
    this.on = on;
    this.view = new EditorView({ parent });
  }

  /** A text that keeps its history and its place while another is shown. */
  document(language, text) {
    return EditorState.create({
      doc: text,
      extensions: [
        lineNumbers(), history(), drawSelection(), indentOnInput(), bracketMatching(), highlightActiveLine(), lintGutter(), failed,
        LANGUAGES[language](), syntaxHighlighting(classHighlighter),
        EditorView.contentAttributes.of({ "aria-label": "source of the script" }),
        EditorView.updateListener.of((update) => update.docChanged && this.on.edited()),
        keymap.of([{ key: "Mod-Enter", run: () => (this.on.run(), true) }, ...defaultKeymap, ...historyKeymap]),
      ],
    });
  }

  show(document) {
    this.view.setState(document);
  }

  get state() {
    return this.view.state;
  }

  get text() {
    return this.view.state.doc.toString();
  }

  replace(text) {
    this.view.dispatch({ changes: { from: 0, to: this.view.state.doc.length, insert: text } });
  }

  /** @param {import("./compile/assemblyscript.js").Problem[]} problems */
  problems(problems) {
    const { doc } = this.view.state;
    const diagnostics = problems.map(({ severity, message, line, column, endColumn }) => {
      const { from, to } = doc.line(Math.min(Math.max(line, 1), doc.lines));
      const start = Math.min(from + column - 1, to);
      return { severity, message, from: start, to: Math.min(Math.max(from + endColumn - 1, start), to) };
    });
    this.view.dispatch(setDiagnostics(this.view.state, diagnostics.sort((a, b) => a.from - b.from)));
  }

  /** Marks the line where the script failed, and shows it; null for none. */
  failed(place) {
    if (!place || place.line > this.view.state.doc.lines) return this.view.dispatch({ effects: mark.of(null) });
    const line = this.view.state.doc.line(place.line);
    this.view.dispatch({ effects: [mark.of(line.from), EditorView.scrollIntoView(line.from, { y: "center" })] });
  }

  goTo({ line, column }) {
    const { doc } = this.view.state;
    const { from, to } = doc.line(Math.min(Math.max(line, 1), doc.lines));
    const at = Math.min(from + column - 1, to);
    this.view.dispatch({ selection: { anchor: at }, effects: EditorView.scrollIntoView(at, { y: "center" }) });
    this.view.focus();
  }
}
