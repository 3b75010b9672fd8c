// Where in a script's source an error came from.

/**
 * @param {{message: string, frames?: {function: string, file?: string | null, line?: number, column?: number}[]}} error as the channel tells it
 * @param {string} file that is edited, such as "creature.ts"
 * @returns {{line: number, column: number} | null} the innermost place in that file
 */
export function placeOf(error, file) {
  // Text is its own source: its frames name no file.
  const own = file.endsWith(".wat");
  const frame = (error.frames ?? []).find((one) => (named(one.file, file) || (own && !one.file)) && one.line > 0);
  if (frame) return { line: frame.line, column: frame.column > 0 ? frame.column : 1 };
  // AssemblyScript's abort says it in words: "... in creature.ts(12:5)".
  const said = /([\w.-]+\.\w+)[(:](\d+):(\d+)/.exec(error.message ?? "");
  if (said && named(said[1], file)) return { line: Number(said[2]), column: Number(said[3]) };
  return null;
}

const named = (path, file) => typeof path === "string" && (path === file || path.endsWith(`/${file}`));

const WORDS = {
  unreachable: "it reached a place that it said it never would (unreachable)",
  integer_division_by_zero: "it divided by zero",
  integer_overflow: "a number became too large",
  memory_out_of_bounds: "it read or wrote outside of its memory",
  table_out_of_bounds: "it called a function that is not there",
  bad_conversion_to_integer: "it made an integer of what is none",
  time: "it took too long, and was stopped",
  fuel: "it took too long, and was stopped",
  stack: "it called itself too deeply",
  memory: "it wanted more memory than it may have",
};

/** In a sentence, for people. */
export function words({ reason, message }) {
  return WORDS[reason] ?? message ?? String(reason);
}
