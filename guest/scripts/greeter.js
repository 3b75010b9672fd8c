/**
 * greeter: what a shopkeeper says to whoever comes in.
 *
 * A component for the world `notifier` of wit/script.wit. For notification 10,000, the world's own "somebody came in", the row
 * that comes in is
 *
 *     name TEXT, hour REAL (of the day, 0 to 24), visits INTEGER (before this one), friends TEXT (names, with commas)
 *
 * and the one that goes out is the text of the shopkeeper's label. Every other notification changes nothing.
 *
 * A value is `{ tag, val }`, no change is `null`, and an error is thrown as a string.
 */
const CAME_IN = 10000;

export function columns() {
  return ["text"];
}

export function notification(what, row) {
  if (what !== CAME_IN) return null;
  const [name, hour, visits, friends] = row;

  const who = text(name).trim() || "stranger";
  const known = number(visits);
  const parts = [`Good ${timeOfDay(number(hour))}, ${who}!`];
  if (known === 1) parts.push("Back so soon?");
  if (known > 1) parts.push(`That makes ${known + 1} visits.`);

  const others = text(friends).split(",").map((friend) => friend.trim()).filter((friend) => friend && friend !== who);
  if (others.length > 0) parts.push(`You just missed ${list(others.sort())}.`);

  return [{ tag: "text", val: parts.join(" ") }];
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
