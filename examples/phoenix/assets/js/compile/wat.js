// Checks WebAssembly's text, and assembles it. Runs in a worker of the page, and in node.

import wabt from "wabt";

/**
 * @param {string} file such as "crystal.wat"
 * @param {string} source
 * @returns {Promise<import("./assemblyscript.js").Result>}
 */
export async function compile(file, source) {
  const assembler = await wabt();
  let module;
  try {
    module = assembler.parseWat(file, source);
    module.resolveNames();
    module.validate();
    return { ok: true, wasm: module.toBinary({ write_debug_names: true }).buffer, sourceMap: null, problems: [] };
  } catch (error) {
    return { ok: false, problems: problems(error.message) };
  } finally {
    module?.destroy();
  }
}

// "FILE:LINE:COLUMN: error: WORDS", then the line, then a mark of ^ under the place.
function problems(text) {
  const found = [];
  const lines = text.split("\n");
  lines.forEach((line, at) => {
    const match = /^[^:]*:(\d+):(\d+): error: (.*)$/.exec(line);
    if (!match) return;
    const column = Number(match[2]);
    const marks = /\^+/.exec(lines[at + 2] ?? "");
    found.push({ severity: "error", message: match[3], line: Number(match[1]), column, endColumn: column + (marks?.[0].length ?? 1) });
  });
  return found.length ? found : [{ severity: "error", message: text.trim(), line: 1, column: 1, endColumn: 1 }];
}
