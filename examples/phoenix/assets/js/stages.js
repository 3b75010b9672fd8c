// The strip of stages: what each does, and the button that stops or starts it.

export class Stages {
  /** @param {HTMLElement} element @param {(name: string, act: "start" | "stop") => Promise<any>} put @param {(words: string) => void} told */
  constructor(element, put, told) {
    Object.assign(this, { element, put, told, cards: new Map(), may: true });
  }

  /** Whether the buttons do anything for this visitor. */
  allow(may) {
    this.may = may;
    for (const { button } of this.cards.values()) button.disabled = !may;
  }

  show(stages) {
    for (const stage of stages) {
      if (!this.cards.has(stage.name)) this.#add(stage);
      this.#fill(this.cards.get(stage.name), stage);
    }
  }

  #add({ name, title, about, line }) {
    const card = document.createElement("li");
    card.className = "stage";
    card.dataset.stage = name;
    card.title = about;
    card.innerHTML = `<span class="dot" aria-hidden="true"></span><span class="title"></span><span class="rate"></span><button type="button"></button><span class="about"></span>`;
    const [, heading, rate, button, words] = card.children;
    heading.textContent = title;
    words.textContent = about;
    button.disabled = !this.may;
    button.addEventListener("click", () => this.#click(name, button));
    this.element.querySelector(`[data-line="${line}"]`).append(card);
    this.cards.set(name, { card, title, about, rate, button, words });
  }

  #fill(parts, { name, state, rate, unit, error }) {
    parts.card.dataset.state = state;
    parts.rate.textContent = state === "stopped" || (state === "waiting" && !rate) ? state : `${rate} ${unit}`;
    parts.words.textContent = error ?? parts.about;
    parts.card.title = error ?? parts.about;
    const act = state === "stopped" ? "start" : "stop";
    if (parts.button.dataset.act === act) return;
    parts.button.dataset.act = act;
    parts.button.setAttribute("aria-label", `${act === "start" ? "Start" : "Stop"} ${parts.title}`);
    parts.button.innerHTML = act === "start"
      ? `<svg viewBox="0 0 16 16" aria-hidden="true"><path d="M4 2.5v11l9-5.5z"/></svg><span>Start</span>`
      : `<svg viewBox="0 0 16 16" aria-hidden="true"><path d="M4 3h3v10H4zM9 3h3v10H9z"/></svg><span>Stop</span>`;
  }

  async #click(name, button) {
    button.disabled = true;
    try {
      this.show((await this.put(name, button.dataset.act)).stages);
    } catch (error) {
      this.told(error.message ?? error.reason);
    } finally {
      button.disabled = !this.may;
    }
  }
}
