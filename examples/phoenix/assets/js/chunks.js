// Which chunks are shown, and which are on their way. Loads some at once, the first named first, and tells the server what came of it.

const RETRIES = 5;

export class Chunks {
  /**
   * @param {{load: (chunk: object) => Promise<any>, show: (chunk: object, made: any) => void, hide: (made: any) => void,
   *   report: (result: {chunks: string[], failed: string[]}) => void, atOnce?: number, wait?: (ms: number) => Promise<void>}} how
   * `load` may throw an error with `retryAfter`, in seconds
   */
  constructor({ load, show, hide, report, atOnce = 4, wait = (ms) => new Promise((done) => setTimeout(done, ms)) }) {
    Object.assign(this, { load, show, hide, report, atOnce, wait });
    /** @type {Map<string, {chunk: object, made: any}>} */
    this.shown = new Map();
    /** @type {Map<string, object>} the newest of each key that is not shown yet */
    this.wanted = new Map();
    this.queue = [];
    this.loading = 0;
  }

  /** What a client that comes back says it still shows. */
  held() {
    return Object.fromEntries([...this.shown].map(([key, { chunk }]) => [key, chunk.hash]));
  }

  /** A push "chunks". */
  push({ put = [], gone = [] }) {
    for (const chunk of put) {
      if (this.shown.get(chunk.key)?.chunk.hash === chunk.hash) {
        this.wanted.delete(chunk.key);
        this.report({ chunks: [chunk.key], failed: [] });
      } else {
        this.wanted.set(chunk.key, chunk);
        this.queue.push(chunk);
      }
    }
    for (const key of gone) {
      this.wanted.delete(key);
      this.#drop(key);
    }
    this.#next();
  }

  /** What is shown stays so; what was on its way is named again by the server. */
  disconnected() {
    this.wanted.clear();
    this.queue = [];
  }

  /** Another world. */
  reset() {
    this.disconnected();
    for (const key of [...this.shown.keys()]) this.#drop(key);
  }

  #next() {
    while (this.loading < this.atOnce && this.queue.length) {
      const chunk = this.queue.shift();
      if (this.wanted.get(chunk.key) !== chunk) continue;
      this.loading++;
      this.#fetch(chunk).finally(() => {
        this.loading--;
        this.#next();
      });
    }
  }

  async #fetch(chunk) {
    let made;
    try {
      made = await this.#tried(chunk);
    } catch {
      if (this.wanted.get(chunk.key) === chunk) {
        this.wanted.delete(chunk.key);
        this.report({ chunks: [], failed: [chunk.key] });
      }
      return;
    }
    // Superseded, or gone, meanwhile.
    if (this.wanted.get(chunk.key) !== chunk) return this.hide(made);
    this.wanted.delete(chunk.key);
    const before = this.shown.get(chunk.key);
    this.shown.set(chunk.key, { chunk, made });
    this.show(chunk, made);
    if (before) this.hide(before.made);
    this.report({ chunks: [chunk.key], failed: [] });
  }

  async #tried(chunk) {
    for (let left = RETRIES; ; left--) {
      try {
        return await this.load(chunk);
      } catch (error) {
        if (!error.retryAfter || left === 0 || this.wanted.get(chunk.key) !== chunk) throw error;
        await this.wait(error.retryAfter * 1000);
      }
    }
  }

  #drop(key) {
    const entry = this.shown.get(key);
    if (!entry) return;
    this.shown.delete(key);
    this.hide(entry.made);
  }
}
