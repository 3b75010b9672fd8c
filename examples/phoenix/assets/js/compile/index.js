// The page's side of the worker.

export class Compiler {
  /** @param {string} url of the worker's script */
  constructor(url) {
    this.url = url;
    this.waiting = new Map();
    this.last = 0;
  }

  /**
   * @param {"assemblyscript" | "wat"} language
   * @param {string} file
   * @param {string} source
   * @returns {Promise<import("./assemblyscript.js").Result>}
   */
  compile(language, file, source) {
    this.worker ??= this.#start();
    const id = ++this.last;
    return new Promise((resolve) => {
      this.waiting.set(id, resolve);
      this.worker.postMessage({ id, language, file, source });
    });
  }

  #start() {
    const worker = new Worker(this.url, { type: "module" });
    worker.onmessage = ({ data }) => this.#done(data.id, data);
    // It could not be loaded, or ended: who waits is told, and the next try starts another.
    worker.onerror = (event) => {
      const problem = { severity: "error", message: `the compiler could not be loaded: ${event.message ?? "no answer"}`, line: 1, column: 1, endColumn: 1 };
      for (const id of [...this.waiting.keys()]) this.#done(id, { ok: false, problems: [problem] });
      this.worker = undefined;
    };
    return worker;
  }

  #done(id, result) {
    this.waiting.get(id)?.(result);
    this.waiting.delete(id);
  }
}
