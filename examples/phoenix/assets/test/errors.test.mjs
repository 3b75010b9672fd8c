import assert from "node:assert/strict";
import test from "node:test";
import { placeOf } from "../js/errors.js";

test("the innermost frame of the file that is edited is the place, not the library's", () => {
  const frames = [
    { function: "~lib/array", offset: 3, file: "~lib/array.ts", line: 99, column: 1 },
    { function: "hop", offset: 9, file: "hare.ts", line: 12, column: 7 },
    { function: "_notification", offset: 20, file: "hare.ts", line: 30, column: 3 },
  ];
  assert.deepEqual(placeOf({ message: "", frames }, "hare.ts"), { line: 12, column: 7 });
});

test("an abort's own words name the place where no frame does", () => {
  assert.deepEqual(placeOf({ message: "abort: too high in hare.ts(7:3)", frames: [{ function: "f", offset: 1 }] }, "hare.ts"), { line: 7, column: 3 });
});

test("an error from nowhere has no place", () => {
  assert.equal(placeOf({ message: "the call was stopped", frames: [] }, "hare.ts"), null);
  assert.equal(placeOf({ message: "in other.ts(7:3)" }, "hare.ts"), null);
});

test("a frame of WebAssembly's text names no file, and is of the text", () => {
  assert.deepEqual(placeOf({ message: "", frames: [{ function: "f", offset: 9, file: null, line: 44 }] }, "crystal.wat"), { line: 44, column: 1 });
  assert.equal(placeOf({ message: "", frames: [{ function: "f", offset: 9, file: null, line: 44 }] }, "creature.ts"), null);
});
