// The page: puts its parts together.

import { Chunks } from "./chunks.js";
import { Compiler } from "./compile/index.js";
import { Editor } from "./editor.js";
import { Link } from "./link.js";
import { Stages } from "./stages.js";
import { Studio } from "./studio.js";
import { View } from "./view.js";
import { World } from "./world.js";

const element = (id) => document.getElementById(id);
const { world: name, compiler: compilerUrl } = document.documentElement.dataset;

// Who may edit has a token, where the server wants one: given once as #token=..., kept until the tab is closed.
const given = new URLSearchParams(location.hash.slice(1)).get("token");
if (given) {
  sessionStorage.setItem("token", given);
  history.replaceState(null, "", location.pathname);
}
const token = sessionStorage.getItem("token");

const world = new World();
const view = new View(element("canvas"), element("places"), world, `/wasgo/worlds/${encodeURIComponent(name)}/`);
const chunks = new Chunks({
  load: (chunk) => view.load(chunk),
  show: (chunk, made) => view.show(chunk, made),
  hide: (made) => view.hide(made),
  report: (results) => link.report(results),
});
const link = new Link({ topic: `world:${name}`, token, world, chunks, view: () => view.looking() });
const studio = new Studio({ editor: new Editor(element("editor"), { run: () => studio.run(), edited: () => studio.edited() }), compiler: new Compiler(compilerUrl), token });
const stages = new Stages(element("stages"), (stage, act) => link.ask("stage", { name: stage, do: act }), (words) => studio.tell(words, "bad"));

view.addEventListener("look", () => link.look());
view.addEventListener("pick", ({ detail }) => detail.script && studio.open(detail.script));
link.addEventListener("event:stages", ({ detail }) => heard(detail));
link.addEventListener("script", ({ detail }) => studio.heard(detail));

link.addEventListener("joined", async ({ detail }) => {
  say("live", `live, ${detail.hz} times a second`);
  try {
    const { stages: all, may_edit: may } = await link.ask("stages", {});
    stages.allow(may);
    heard(all);
    studio.allow(may);
  } catch (error) {
    studio.tell(error.message ?? error.reason, "bad");
  }
});
link.addEventListener("zones", ({ detail: zones }) => {
  engines = zones.length === 0 ? "" : ` · ${zones.length} Godot server${zones.length === 1 ? "" : "s"}: ${zones.map((zone) => zone.name).join(", ")}`;
  say(state, words);
});
link.addEventListener("lost", () => say("lost", "the connection is lost, trying again"));
link.addEventListener("refused", ({ detail }) => say("lost", detail.message ?? detail.reason));
link.addEventListener("bye", ({ detail }) => say("lost", detail.message));

// The script of the land is run by a stage, which tells how it does.
function heard(all) {
  stages.show(all);
  const grove = all.find((stage) => stage.name === "grove");
  if (grove) studio.heard({ script: "grove", version: null, state: grove.failure ? "failed" : "running", error: grove.failure });
}

let engines = "";
let state = "joining";
let words = "connecting";

function say(newState, newWords) {
  [state, words] = [newState, newWords];
  element("link").dataset.state = state;
  element("link").lastElementChild.textContent = words + (state === "live" ? engines : "");
}

studio.start();

// For the browser's console, and for tests.
globalThis.island = { world, view, chunks, link, studio, stages };
