// Decides what grows. It gets all that could stand in a
// piece of land, and returns what does. Change something,
// press Run and watch the forest: a round takes 4 s.

export { wasgo_alloc } from "./wasgo";
import { Instance, Span, span } from "./wasgo";

const SNOW_LINE: f32 = 19;  // metres; no trees above it
const SHARE: f32 = 0.8;     // of the trees, that stays

// Kinds: 0-1 rocks, 2-3 trees, 4-5 conifers, 6-7 bushes.
function stays(thing: Instance): bool {
  if (thing.kind < 2) return true;
  if (thing.y > SNOW_LINE) return false;
  return luck(thing) < SHARE;
}

// 0 to 1, always the same for the same place.
function luck(thing: Instance): f32 {
  const x = reinterpret<u32>(thing.x) * 0x9e3779b1;
  const z = reinterpret<u32>(thing.z) * 0x85ebca6b;
  return <f32>((x ^ z ^ (x >> 15)) >> 16) / 65536;
}

export function process(
  things: usize, length: u32
): Span {
  const size = Instance.SIZE;
  let kept: u32 = 0;
  for (let i: u32 = 0; i < length / size; i++) {
    if (!stays(Instance.at(things, i))) continue;
    memory.copy(
      things + kept * size, things + i * size, size
    );
    kept++;
  }
  return span(things, kept * size);
}
