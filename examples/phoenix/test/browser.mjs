// Opens the page in a real browser and uses it: `node test/browser.mjs URL [FOLDER FOR PICTURES]`.
//
// It needs a Chromium (CHROMIUM, or /usr/bin/chromium) and nothing else: playwright-core brings no browser along, and nothing is downloaded.

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "../assets/node_modules/playwright-core/index.mjs";

const [url, pictures] = process.argv.slice(2);
if (!url) throw new Error("usage: node test/browser.mjs URL [FOLDER FOR PICTURES]");

// All software, on a machine that may have much else to do.
const LONG = 60_000;
const profile = await mkdtemp(join(tmpdir(), "wasgo-page-"));
const problems = [];

const browser = await chromium.launchPersistentContext(profile, {
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  viewport: { width: 1280, height: 800 },
  colorScheme: "light",
  args: [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
    "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
  ],
});

const page = await browser.newPage();
page.setDefaultTimeout(LONG);
page.on("pageerror", (error) => problems.push(`${error.message}\n${error.stack}`));
page.on("console", (message) => { if (message.type() === "error") problems.push(message.text()); });
page.on("request", (request) => { if (!request.url().startsWith(new URL(url).origin) && !/^(blob|data):/.test(request.url())) problems.push(`asked for ${request.url()}`); });

const step = async (words, work) => {
  const began = performance.now();
  await work();
  console.log(`ok - ${words} (${((performance.now() - began) / 1000).toFixed(1)} s)`);
};
const until = (test, argument) => page.waitForFunction(test, argument, { polling: 100, timeout: LONG });
// Drawn with more pixels than the page has, as edges are not smoothed in software.
const picture = async (name) => {
  if (!pictures) return;
  const [sharpness, frames] = await page.evaluate(() => [island.view.sharpness, island.view.frames]);
  await page.evaluate(() => { island.view.sharpen(2); });
  await until((frames) => island.view.frames > frames + 1, frames);
  await page.screenshot({ path: join(pictures, `page-${name}.png`) });
  await page.evaluate((sharpness) => island.view.sharpen(sharpness), sharpness);
};
const change = (label) => page.selectOption("#tries", { label });
const told = () => page.textContent("#told");
const stage = (name) => page.locator(`[data-stage="${name}"]`);

// How fast the first creature goes along its way, in metres a second, by the rows of some seconds.
const speed = () => page.evaluate(async () => {
  const { world } = island;
  const creature = [...world.things.values()].find((thing) => thing.script === "creature");
  const place = () => [creature.position[0], creature.position[2]];
  let [way, last] = [0, place()];
  const began = performance.now();
  world.rows = function (groups) {
    Object.getPrototypeOf(this).rows.call(this, groups);
    const [x, z] = place();
    way += Math.hypot(x - last[0], z - last[1]);
    last = [x, z];
  };
  await new Promise((done) => setTimeout(done, 2000));
  delete world.rows;
  return way / ((performance.now() - began) / 1000);
});

// Different colours in what was drawn: an empty canvas has one.
const colours = () => page.evaluate(async () => {
  const { renderer, scene, camera } = island.view;
  renderer.render(scene, camera);
  const gl = renderer.getContext();
  const [width, height] = [gl.drawingBufferWidth, gl.drawingBufferHeight];
  const pixels = new Uint8Array(width * height * 4);
  gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
  const seen = new Set();
  for (let at = 0; at < pixels.length; at += 4 * 61) seen.add((pixels[at] >> 3) * 1024 + (pixels[at + 1] >> 3) * 32 + (pixels[at + 2] >> 3));
  return seen.size;
});

try {
  await step("the world is there: its land, what stands on it, and names", async () => {
    await page.goto(url);
    await until(() => globalThis.island?.chunks.shown.size >= 32 && island.world.things.size === 24);
    await until(() => [...island.view.shown.values()].every((group) => group.children.length > 0));
    await until(() => document.querySelectorAll("#places span").length >= 20);
    assert.ok((await colours()) > 60, "the picture has hardly a colour");
  });

  await step("creatures move, and the stages run", async () => {
    await until(() => [...island.world.things.values()].every((thing) => thing.moved > 5));
    const pace = await speed();
    assert.ok(pace > 1 && pace < 3, `${pace} m/s, and the script says 1.75`);
    for (const name of ["generate", "grove", "namer", "keep", "creatures"]) await until((name) => document.querySelector(`[data-stage="${name}"]`)?.dataset.state === "running", name);
    await picture("world");
  });

  await step("a changed script is compiled here and moves them faster", async () => {
    await change("Run faster");
    await until(() => /^version \d+ runs, /.test(document.getElementById("told").textContent));
    console.log(`     ${await told()}`);
    const pace = await speed();
    assert.ok(pace > 4 && pace < 12, `${pace} m/s, and the script says 7`);
  });

  await step("what does not compile is not uploaded, and its line is marked", async () => {
    await change("A mistake: a type");
    await until(() => /^Line \d+: Type 'f64' is not assignable/.test(document.getElementById("problem").textContent));
    assert.match(await told(), /does not compile/);
    assert.equal(await page.locator(".cm-lintRange-error").count() > 0, true);
    await page.click("#revert");
  });

  await step("a script that fails when it runs is shown with its line", async () => {
    await change("A mistake: a trap");
    await until(() => /^Line \d+: /.test(document.getElementById("problem").textContent) && document.querySelector(".cm-failed"));
    assert.match(await page.textContent(".cm-failed"), /unreachable\(\)/);
    await picture("error");
  });

  await step("a script that never ends is stopped, and holds nobody up", async () => {
    await page.click("#revert");
    await page.evaluate(() => { island.studio.editor.replace(island.studio.editor.text.replace("  if (Math.sin(turn) > 0.9) unreachable();\n", "  while (turn > 0) {}\n")); });
    await page.click("#run");
    await until(() => /it took too long/.test(document.getElementById("problem").textContent));
    const crystals = () => page.evaluate(() => [...island.world.things.values()].filter((thing) => thing.script === "crystal").reduce((sum, thing) => sum + thing.moved, 0));
    const before = await crystals();
    await until(async (before) => [...island.world.things.values()].filter((thing) => thing.script === "crystal").reduce((sum, thing) => sum + thing.moved, 0) > before + 60, before);
  });

  await step("the next version that works moves them again", async () => {
    await page.evaluate(() => { island.studio.editor.replace(island.studio.editor.text.replace("  while (turn > 0) {}\n", "").replace("SPEED: f64 = 2.0", "SPEED: f64 = 0.6")); });
    await page.click("#run");
    await until(() => document.getElementById("problem").hidden);
    const moved = await page.evaluate(() => island.world.things.get(1).moved);
    await until((moved) => island.world.things.get(1).moved > moved + 5, moved);
  });

  await step("WebAssembly's text is checked, uploaded, and fails with its line", async () => {
    await page.click("#tab-crystal");
    await until(() => island.studio.current.script.name === "crystal" && island.studio.current.document);
    await change("A mistake: a name");
    await until(() => /^Line \d+: undefined function variable/.test(document.getElementById("problem").textContent));
    await page.click("#revert");
    await change("A mistake: a division by zero");
    await until(() => /^Line \d+: it divided by zero/.test(document.getElementById("problem").textContent) && document.querySelector(".cm-failed"));
    assert.match(await page.textContent(".cm-failed"), /i32\.div_u/);
    await page.evaluate(() => { island.studio.editor.replace(island.studio.editor.text.replace(/ *\(drop.*\n\n/, "")); });
    await page.click("#run");
    await until(() => document.getElementById("problem").hidden);
  });

  await step("another grove: the land comes anew, with fewer trees", async () => {
    const hashes = () => page.evaluate(() => JSON.stringify(island.chunks.held()));
    const trees = () => page.evaluate(() => [...island.world.properties.values()].filter(Array.isArray).reduce((sum, place) => sum + place[4], 0));
    const [held, stood] = [await hashes(), await trees()];
    await page.click("#tab-grove");
    await until(() => island.studio.current.script.name === "grove" && island.studio.current.document);
    await change("Fewer trees");
    await until((stood) => [...island.world.properties.values()].filter(Array.isArray).reduce((sum, place) => sum + place[4], 0) < stood / 2, stood);
    await until((held) => JSON.stringify(island.chunks.held()) !== held, held);
  });

  await step("an error of a stage's script is shown with its line too", async () => {
    await page.click("#revert");
    await change("A mistake: out of its memory");
    await until(() => /^Line \d+: it read or wrote outside/.test(document.getElementById("problem").textContent) && document.querySelector(".cm-failed"));
    assert.match(await page.textContent(".cm-failed"), /store<u32>/);
    assert.equal(await stage("grove").getAttribute("data-state"), "failing");
    await page.evaluate(() => { island.studio.editor.replace(island.studio.editor.text.replace("    store<u32>(0xfffffff0, kept);\n", "")); });
    await page.click("#run");
    await until(() => document.querySelector(`[data-stage="grove"]`).dataset.state === "running" && document.getElementById("problem").hidden);
  });

  await step("a stage is stopped and started: what is behind it waits, and goes on", async () => {
    await stage("namer").getByRole("button").click();
    await until(() => document.querySelector(`[data-stage="namer"]`).dataset.state === "stopped");
    await until(() => document.querySelector(`[data-stage="keep"]`).dataset.state === "waiting");
    await stage("namer").getByRole("button").click();
    await until(() => document.querySelector(`[data-stage="keep"]`).dataset.state === "running");
  });

  await step("creatures stand still while their scripts are stopped", async () => {
    await stage("creatures").getByRole("button").click();
    await until(() => document.querySelector(`[data-stage="creatures"]`).dataset.state === "stopped");
    assert.equal(await speed(), 0);
    await stage("creatures").getByRole("button").click();
    await until(() => document.querySelector(`[data-stage="creatures"]`).dataset.state === "running");
    const moved = await page.evaluate(() => island.world.things.get(1).moved);
    await until((moved) => island.world.things.get(1).moved > moved + 5, moved);
  });

  await step("the link is lost and comes back where it was: nothing of the land is fetched again", async () => {
    const fetched = [];
    page.on("request", (request) => { if (request.url().includes("/chunks/")) fetched.push(request.url()); });
    const rev = await page.evaluate(() => { island.link.socket.conn.close(); return island.world.rev; });
    await until(() => document.getElementById("link").dataset.state === "live" && island.link.channel.state === "joined");
    const moved = await page.evaluate(() => island.world.things.get(1).moved);
    await until((moved) => island.world.things.get(1).moved > moved + 5, moved);
    assert.ok((await page.evaluate(() => island.world.rev)) >= rev);
    assert.ok(fetched.length < 12, `${fetched.length} chunks`);
  });

  await step("a reload shows what runs now, and the world as it is", async () => {
    await page.reload();
    await until(() => globalThis.island?.chunks.shown.size >= 32 && island.world.things.size === 24);
    assert.match(await page.evaluate(() => island.studio.editor.text), /SPEED: f64 = 0\.6/);
  });

  await step("it fits a phone, and speaks of itself to who does not see", async () => {
    await page.setViewportSize({ width: 390, height: 844 });
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390);
    assert.equal(await page.getByRole("button", { name: "Run" }).isVisible(), true);
    assert.equal(await page.getByRole("tab").count(), 3);
    await picture("phone");
  });

  assert.deepEqual(problems.filter((words) => !/GL Driver/.test(words)), []);
} catch (error) {
  await picture("failed").catch(() => {});
  console.error(error);
  console.error(await page.evaluate(() => ["told", "problem", "link"].map((id) => document.getElementById(id)?.textContent)).catch(() => []));
  console.error(problems);
  process.exitCode = 1;
} finally {
  await browser.close();
  await rm(profile, { recursive: true, force: true });
}
