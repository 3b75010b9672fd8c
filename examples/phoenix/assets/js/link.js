// The channel: joins, comes back where it was, and acknowledges what has been applied.

import { Socket } from "phoenix";
import { readRows } from "./rows.js";

// Rows come many times a second: while nobody looks, each so-manieth is enough.
const HIDDEN_ROWS = 8;
const AGAIN_MS = 2000;

export class Link extends EventTarget {
  /**
   * @param {{topic: string, token: string | null, world: import("./world.js").World, chunks: import("./chunks.js").Chunks, view: () => object}} of
   */
  constructor({ topic, token, world, chunks, view }) {
    super();
    Object.assign(this, { topic, world, chunks, view });
    this.applied = 0;
    this.acknowledged = 0;
    this.results = { chunks: [], failed: [] };
    this.socket = new Socket("/socket", { params: token ? { token } : {} });
    this.socket.onClose(() => this.#lost());
    this.socket.connect();
    document.addEventListener("visibilitychange", () => this.#acknowledge());
    this.#join();
  }

  #join() {
    const { world, chunks } = this;
    const channel = (this.channel = this.socket.channel(this.topic, () => ({
      rev: world.rev, identity: world.identity, view: this.view(), held: chunks.held(),
    })));

    channel.join()
      .receive("ok", (reply) => {
        this.applied = this.acknowledged = 0;
        if (reply.identity !== world.identity && world.identity !== null) chunks.reset();
        world.joined(reply);
        this.limits = reply.limits;
        this.#tell("joined", reply);
        this.#tell("zones", reply.zones);
        for (const script of reply.scripts ?? []) this.#tell("script", script);
      })
      .receive("error", (error) => this.#tell("refused", error))
      .receive("timeout", () => this.#tell("refused", { reason: "timeout", message: "the server does not answer" }));

    this.#on("state", (push) => world.state(push));
    this.#on("chunks", (push) => chunks.push(push));
    this.#on("plan", ({ plan }) => world.joined({ reset: false, identity: world.identity, plan }));
    this.#on("zones", ({ zones }) => this.#tell("zones", zones));
    this.#on("script", (push) => this.#tell("script", push));
    this.#on("script_error", (push) => this.#tell("script", push));
    this.#on("event", ({ name, data }) => this.#tell(`event:${name}`, data));
    channel.on("bye", (push) => this.#tell("bye", push));
    channel.on("rows", (payload) => {
      const { seq, groups } = readRows(payload);
      world.rows(groups);
      this.#done(seq, true);
    });
    // The server let go of this page: it is back in a moment.
    channel.onClose(() => {
      if (channel !== this.channel) return;
      this.#lost();
      setTimeout(() => this.#join(), AGAIN_MS);
    });
    channel.onError(() => this.#lost());
  }

  #on(event, apply) {
    this.channel.on(event, (push) => {
      apply(push);
      this.#done(push.seq, false);
    });
  }

  // With the next picture that shows it; at once while none is drawn.
  #done(seq, often) {
    this.applied = seq;
    if (!document.hidden) this.frame ??= requestAnimationFrame(() => this.#acknowledge());
    else if (!often || seq - this.acknowledged >= HIDDEN_ROWS) this.#acknowledge();
  }

  #acknowledge() {
    cancelAnimationFrame(this.frame);
    this.frame = undefined;
    if (this.applied > this.acknowledged) {
      this.acknowledged = this.applied;
      this.channel.push("ack", { seq: this.applied });
    }
  }

  /** What came of chunks: told together. */
  report({ chunks, failed }) {
    this.results.chunks.push(...chunks);
    this.results.failed.push(...failed);
    this.reporting ??= setTimeout(() => {
      this.reporting = undefined;
      const results = this.results;
      this.results = { chunks: [], failed: [] };
      if (this.channel.state === "joined") this.channel.push("loaded", results);
    }, 30);
  }

  look() {
    if (this.channel.state === "joined") this.channel.push("view", this.view());
  }

  /** @returns {Promise<object>} the answer; rejected with `{reason, message}` */
  ask(event, payload) {
    return new Promise((resolve, reject) => {
      this.channel.push(event, payload)
        .receive("ok", resolve)
        .receive("error", reject)
        .receive("timeout", () => reject({ reason: "timeout", message: "the server does not answer" }));
    });
  }

  #lost() {
    this.chunks.disconnected();
    this.#tell("lost");
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
