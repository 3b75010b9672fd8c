// Every creature runs this 30 times a second.
// Change something and press Run.

export { wasgo_alloc } from "./wasgo";
import {
  NO_CHANGE, NOTIFICATION_PROCESS,
  Row, RowWriter, Span, columns,
} from "./wasgo";

const SPEED: f64 = 0.5;   // radians a second
const RADIUS: f64 = 3.5;  // metres around its place
const HOP: f64 = 0.7;     // metres

const answer = new RowWriter();

export function _columns(): Span {
  return columns(
    "position:x,position:y,position:z,rotation:y"
  );
}

export function _notification(
  what: i32, pointer: usize, length: u32
): Span {
  if (what != NOTIFICATION_PROCESS) return NO_CHANGE;
  const row = Row.at(pointer, length);
  if (row == null) return NO_CHANGE;

  // Which one, for how many seconds, and its place.
  const id = row.real(0), time = row.real(1);
  const x = row.real(2);
  const y = row.real(3);
  const z = row.real(4);

  const turn = SPEED * time + id * 2.4;
  const hop = Math.max(0, Math.sin(time * 7 + id));

  return answer
    .begin(4)
    .real(x + RADIUS * Math.cos(turn))
    .real(y + HOP * hop * hop)
    .real(z + RADIUS * Math.sin(turn))
    .real(Math.PI - turn)
    .end();
}
