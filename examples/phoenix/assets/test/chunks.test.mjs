import assert from "node:assert/strict";
import test from "node:test";
import { Chunks } from "../js/chunks.js";

// Loads that end when the test says.
function held(more = {}) {
  const loads = [];
  const log = [];
  const chunks = new Chunks({
    load: (chunk) => new Promise((resolve, reject) => loads.push({ chunk, done: () => resolve(chunk.hash), fail: reject })),
    show: ({ key }, made) => log.push(`show ${key} ${made}`),
    hide: (made) => log.push(`hide ${made}`),
    report: ({ chunks, failed }) => log.push(`loaded ${chunks} failed ${failed}`),
    ...more,
  });
  return { chunks, loads, log };
}

const settled = () => new Promise((done) => setImmediate(done));
const chunk = (key, hash) => ({ key, hash, path: `chunks/${key}.${hash}.glb` });

test("a chunk takes the place of the one of its key once it is there, and not before", async () => {
  const { chunks, loads, log } = held();
  chunks.push({ put: [chunk("0,0", "a")] });
  loads[0].done();
  await settled();
  chunks.push({ put: [chunk("0,0", "b")] });
  assert.deepEqual(log, ["show 0,0 a", "loaded 0,0 failed "]);
  loads[1].done();
  await settled();
  assert.deepEqual(log.slice(2), ["show 0,0 b", "hide a", "loaded 0,0 failed "]);
  assert.deepEqual(chunks.held(), { "0,0": "b" });
});

test("of two of one key that are on their way only the newest is shown, whichever comes first", async () => {
  const { chunks, loads, log } = held();
  chunks.push({ put: [chunk("0,0", "a")] });
  chunks.push({ put: [chunk("0,0", "b")] });
  loads[1].done();
  loads[0].done();
  await settled();
  assert.deepEqual(log, ["show 0,0 b", "loaded 0,0 failed ", "hide a"]);
});

test("what goes while it is on its way is never shown", async () => {
  const { chunks, loads, log } = held();
  chunks.push({ put: [chunk("0,0", "a")] });
  chunks.push({ gone: ["0,0"] });
  loads[0].done();
  await settled();
  assert.deepEqual(log, ["hide a"]);
});

test("some are loaded at once, in the order in which they were named", async () => {
  const { chunks, loads } = held({ atOnce: 2 });
  chunks.push({ put: ["a", "b", "c"].map((key) => chunk(key, key)) });
  assert.deepEqual(loads.map(({ chunk }) => chunk.key), ["a", "b"]);
  loads[1].done();
  await settled();
  assert.deepEqual(loads.map(({ chunk }) => chunk.key), ["a", "b", "c"]);
});

test("one that fails is told, and what was shown in its place stays", async () => {
  const { chunks, loads, log } = held();
  chunks.push({ put: [chunk("0,0", "a")] });
  loads[0].done();
  await settled();
  chunks.push({ put: [chunk("0,0", "b")] });
  loads[1].fail(new Error("404"));
  await settled();
  assert.deepEqual(log.slice(2), ["loaded  failed 0,0"]);
  assert.deepEqual(chunks.held(), { "0,0": "a" });
});

test("one that is being made is asked for again after the pause that the server names, a bounded number of times", async () => {
  const waits = [];
  let tries = 0;
  const log = [];
  const chunks = new Chunks({
    load: () => { tries++; throw Object.assign(new Error("503"), { retryAfter: 2 }); },
    show: () => {}, hide: () => {}, report: ({ failed }) => log.push(...failed),
    wait: async (ms) => { waits.push(ms); },
  });
  chunks.push({ put: [chunk("0,0", "a")] });
  await settled();
  assert.deepEqual([tries, waits, log], [6, [2000, 2000, 2000, 2000, 2000], ["0,0"]]);
});

test("one that is shown already is not loaded again", async () => {
  const { chunks, loads, log } = held();
  chunks.push({ put: [chunk("0,0", "a")] });
  loads[0].done();
  await settled();
  chunks.disconnected();
  chunks.push({ put: [chunk("0,0", "a")] });
  assert.equal(loads.length, 1);
  assert.deepEqual(log.slice(2), ["loaded 0,0 failed "]);
});
