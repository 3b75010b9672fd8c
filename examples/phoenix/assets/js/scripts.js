// The scripts that the page edits, and changes to try.

/** In the order of their tabs. `who` is what runs it. */
export const SCRIPTS = [
  {
    name: "creature", language: "assemblyscript", file: "creature.ts", who: "18 creatures",
    tries: [
      ["Run faster", [["SPEED: f64 = 0.5", "SPEED: f64 = 2.0"]]],
      ["Jump as high as a house", [["HOP: f64 = 0.7", "HOP: f64 = 7.0"]]],
      ["All to the middle", [[".real(x + RADIUS", ".real((6 + id % 5)"], [".real(z + RADIUS", ".real((6 + id % 5)"]]],
      ["A mistake: a trap", [["  const hop = ", "  if (Math.sin(turn) > 0.9) unreachable();\n  const hop = "]]],
      ["A mistake: it never ends", [["  const hop = ", "  while (turn > 0) {}\n  const hop = "]]],
      ["A mistake: a type", [["const turn = SPEED * time + id * 2.4;", "const turn: string = SPEED * time + id * 2.4;"]]],
    ],
  },
  {
    name: "crystal", language: "wat", file: "crystal.wat", who: "6 crystals",
    tries: [
      ["Rise higher", [["(f64.const 2.5)", "(f64.const 12)"]]],
      ["Spin", [["(f64.const 0.8)", "(f64.const 9)"]]],
      ["A mistake: a division by zero", [["    ;; y and the turn", "    (drop (i32.div_u (i32.const 1) (i32.const 0)))\n\n    ;; y and the turn"]]],
      ["A mistake: a name", [["call $fraction", "call $friction"]]],
    ],
  },
  {
    name: "grove", language: "assemblyscript", file: "grove.ts", who: "the land",
    tries: [
      ["Fewer trees", [["SHARE: f32 = 0.8", "SHARE: f32 = 0.15"]]],
      ["All of them", [["SHARE: f32 = 0.8", "SHARE: f32 = 1.0"], ["SNOW_LINE: f32 = 19", "SNOW_LINE: f32 = 99"]]],
      ["Giants", [["    kept++;", "    Instance.at(things, kept).scale *= 2.2;\n    kept++;"]]],
      ["A mistake: out of its memory", [["    kept++;", "    store<u32>(0xfffffff0, kept);\n    kept++;"]]],
    ],
  },
];

/** The text with a change to try, or null where what it changes is not there any more. */
export function tried(text, edits) {
  if (!edits.every(([before]) => text.includes(before))) return null;
  return edits.reduce((changed, [before, after]) => changed.replace(before, () => after), text);
}
