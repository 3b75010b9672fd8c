import assert from "node:assert/strict";
import test from "node:test";
import { World, place } from "../js/world.js";

const lying = [1, 0, 0, 0, 1, 0, 0, 0, 1];
const hare = (more = {}) => ({ id: 7, name: "hare", script: "hare", mesh: { name: "hare", path: "meshes/a.glb" }, glb: null, transform: [...lying, 4, 5, 6], properties: {}, values: {}, ...more });

test("an object stands where its transform says, and values of scripts go before it", () => {
  const world = new World();
  world.state({ rev: 3, objects: [hare({ values: { "position:x": 9, "rotation:y": 1.5 } })] });
  const thing = world.things.get(7);
  assert.deepEqual([thing.position, thing.rotation, thing.scale], [[9, 5, 6], [0, 1.5, 0], [1, 1, 1]]);
  assert.equal(world.rev, 3);
});

test("rows move what is there, column by column, and leave alone what is null", () => {
  const world = new World();
  world.state({ rev: 1, objects: [hare()] });
  world.rows([{ ids: [7, 8], columns: [{ type: 1, name: "position:y", values: [2, 3] }, { type: 3, name: "scale", values: [null, null] }] }]);
  assert.deepEqual(world.things.get(7).position, [4, 2, 6]);
  assert.equal(world.things.get(7).moved, 1);
  assert.equal(world.things.has(8), false);
});

test("what comes anew takes the place of what was; what is gone goes; a property of null is removed", () => {
  const world = new World();
  const told = [];
  for (const type of ["thing", "gone", "properties"]) world.addEventListener(type, ({ detail }) => told.push([type, detail?.id ?? detail]));
  world.state({ rev: 1, objects: [hare()], properties: { season: "spring", place: [1] } });
  world.state({ rev: 2, objects: [hare({ name: "rabbit" })], gone: [99] });
  world.state({ rev: 3, gone: [7], properties: { season: null } });
  assert.equal(world.things.size, 0);
  assert.deepEqual([...world.properties], [["place", [1]]]);
  assert.deepEqual(told, [["thing", 7], ["properties", null], ["thing", 7], ["gone", 7], ["properties", null]]);
});

test("a page that comes back to the same world keeps what it has, to another begins anew", () => {
  const world = new World();
  world.joined({ identity: "a", reset: true, plan: null });
  world.state({ rev: 5, objects: [hare()] });
  world.joined({ identity: "a", reset: false, plan: null });
  assert.deepEqual([world.rev, world.things.size], [5, 1]);
  world.joined({ identity: "b", reset: true, plan: null });
  assert.deepEqual([world.rev, world.things.size], [0, 0]);
});

test("values that make no sense leave the object as it was", () => {
  const world = new World();
  world.state({ rev: 1, objects: [hare({ values: { position: "up", "position:w": 1, "position:x": "NaN", "modulate:r": 1, visible: 0 } })] });
  const thing = world.things.get(7);
  assert.deepEqual([thing.position, thing.visible], [[4, 5, 6], false]);
  assert.equal(thing.modulate, undefined);
});

test("a turn is taken apart as Godot does: Y, then X, then Z", () => {
  const [x, y, z] = [0.3, -1.1, 0.7];
  const [cx, sx, cy, sy, cz, sz] = [Math.cos(x), Math.sin(x), Math.cos(y), Math.sin(y), Math.cos(z), Math.sin(z)];
  const turn = [
    cy * cz + sy * sx * sz, cx * sz, -sy * cz + cy * sx * sz,
    -cy * sz + sy * sx * cz, cx * cz, sy * sz + cy * sx * cz,
    sy * cx, -sx, cy * cx,
  ].map((number, i) => number * [2, 3, 4][Math.floor(i / 3)]);
  const { rotation, scale, position } = place([...turn, 1, 2, 3]);
  rotation.forEach((angle, i) => assert.ok(Math.abs(angle - [x, y, z][i]) < 1e-9, `${rotation}`));
  scale.forEach((factor, i) => assert.ok(Math.abs(factor - [2, 3, 4][i]) < 1e-9));
  assert.deepEqual(position, [1, 2, 3]);
});

test("a mesh that is replaced is told of what shows it, and of nothing else", () => {
  const world = new World();
  const told = [];
  world.addEventListener("look", ({ detail }) => told.push([detail.id, detail.mesh.path]));
  world.state({ rev: 1, objects: [hare(), hare({ id: 8, mesh: null }), hare({ id: 9, mesh: { name: "oak", path: "meshes/o.glb" } })] });
  world.state({ rev: 2, meshes: [{ name: "hare", path: "meshes/b.glb" }, { name: "oak", path: "meshes/o.glb" }, { name: "hare", path: null }] });
  assert.deepEqual(told, [[7, "meshes/b.glb"]]);
});

test("a client that was behind for very long begins anew in the midst of it", () => {
  const world = new World();
  world.state({ rev: 1, objects: [hare()], properties: { season: "spring" } });
  world.state({ rev: 900, reset: true, objects: [hare({ id: 12 })] });
  assert.deepEqual([[...world.things.keys()], world.properties.size, world.rev], [[12], 0, 900]);
});
