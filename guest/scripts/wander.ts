/**
 * wander: a creature that walks a closed path about its home, hops as it goes and looks where it is going.
 *
 * A `_notification` script. For NOTIFICATION_PROCESS the row that comes in is
 *
 *     id INTEGER, time REAL (seconds), home_x REAL, home_y REAL, home_z REAL (metres), phase REAL (radians)
 *
 * and the one that goes out is the node's place and heading. Every other notification changes nothing. The creature is
 * never farther than 6 m from home and never below it; `phase` sets it apart from others with the same home.
 */
export { wasgo_alloc } from "../assemblyscript/wasgo";
import { NO_CHANGE, NOTIFICATION_PROCESS, Row, RowWriter, Span, columns } from "../assemblyscript/wasgo";

/**
 * The path is the sum of two turning arms, the second turning twice as fast the other way: a smooth three-leaved loop
 * within ARM + LEAF = 5.8 m. The tip never stands still, as ARM > 2 * LEAF: there always is a direction to look in.
 */
const ARM: f64 = 4.0;
const LEAF: f64 = 1.8;
/** Radians of the first arm in a second: once round in about 18 s, at 0.1 to 2.7 m/s. */
const PACE: f64 = 0.35;

const HOP_HEIGHT: f64 = 0.4;
/** Hops in one round: whole, so that the path closes. Half of the time the creature is on the ground. */
const HOPS: f64 = 16.0;

const answer = new RowWriter();

export function _columns(): Span {
  return columns("position:x,position:y,position:z,rotation:y");
}

export function _notification(what: i32, pointer: usize, length: u32): Span {
  if (what != NOTIFICATION_PROCESS) return NO_CHANGE;
  const row = Row.at(pointer, length);
  if (row == null || row.count < 6) return NO_CHANGE;

  const time = row.real(1);
  const homeX = row.real(2);
  const homeY = row.real(3);
  const homeZ = row.real(4);
  const phase = row.real(5);
  // A creature without a place or a time stays where it is.
  if (!isFinite(time + homeX + homeY + homeZ + phase)) return NO_CHANGE;

  // The phase is a head start, and turns the whole path too: two creatures of one home do not walk in each other's steps.
  const turn = PACE * time + phase;
  const leaf = phase - 2.0 * turn;
  const sin = Math.sin(turn);
  const cos = Math.cos(turn);
  const leafSin = Math.sin(leaf);
  const leafCos = Math.cos(leaf);
  const hop = Math.max(0.0, Math.sin(HOPS * turn));

  // The way it moves, but for a positive factor: the path's derivative. A node looks along its own -Z.
  const goesX = -ARM * sin + 2.0 * LEAF * leafSin;
  const goesZ = ARM * cos - 2.0 * LEAF * leafCos;

  return answer
    .begin(4)
    .real(homeX + ARM * cos + LEAF * leafCos)
    .real(homeY + HOP_HEIGHT * hop * hop)
    .real(homeZ + ARM * sin + LEAF * leafSin)
    .real(Math.atan2(-goesX, -goesZ))
    .end();
}
