/**
 * greeter: what a shopkeeper says to whoever comes in.
 *
 * A component for the world `notifier` of wit/script.wit, which is granted `log` and `state`. For notification 10,000, the world's own
 * "somebody came in", the row that comes in is
 *
 *     name TEXT, hour REAL (of the day, 0 to 24), friends TEXT (names, with commas)
 *
 * and the one that goes out is the text of the shopkeeper's label. Every other notification changes nothing. Who came how often is kept
 * under `visits:` and the name, a number of four bytes; strangers are not counted.
 *
 * A value is `{ tag, val }`, no change is `null`, and an error is thrown as a string.
 */
import { log } from "wasgo:script/log@0.1.0";
import { get, set } from "wasgo:script/state@0.1.0";

const CAME_IN = 10000;

export function columns() {
  return ["text"];
}

export function notification(what, row) {
  if (what !== CAME_IN) return null;
  const [name, hour, friends] = row;

  const who = text(name).trim() || "stranger";
  const known = who === "stranger" ? 0 : visit(who);
  const parts = [`Good ${timeOfDay(number(hour))}, ${who}!`];
  if (known === 1) parts.push("Back so soon?");
  if (known > 1) parts.push(`That makes ${known + 1} visits.`);

  const others = text(friends).split(",").map((friend) => friend.trim()).filter((friend) => friend && friend !== who);
  if (others.length > 0) parts.push(`You just missed ${list(others.sort())}.`);

  return [{ tag: "text", val: parts.join(" ") }];
}

/** How often somebody was here before; this visit is counted too, if there is room for it. */
function visit(who) {
  // A key has a kilobyte at most, and a letter up to three bytes of it; the state may have been filled by others.
  const key = `visits:${who.slice(0, 100)}`;
  const kept = get(key);
  const before = kept?.length === 4 ? new DataView(Uint8Array.from(kept).buffer).getUint32(0, true) : 0;

  const after = new DataView(new ArrayBuffer(4));
  after.setUint32(0, before + 1, true);
  try {
    set(key, new Uint8Array(after.buffer));
  } catch (error) {
    log("warning", `${who} was not counted: ${error.payload}`);
  }
  return before;
}

function timeOfDay(hour) {
  if (hour >= 5 && hour < 12) return "morning";
  if (hour >= 12 && hour < 18) return "afternoon";
  return "evening";
}

function list(names) {
  return names.length === 1 ? names[0] : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}

// Read kindly: a value that is missing, or of another type, is no text and 0.
function text(value) {
  return value?.tag === "text" ? value.val : "";
}

function number(value) {
  return value?.tag === "integer" || value?.tag === "real" ? Number(value.val) : 0;
}
