// Compiles AssemblyScript. Runs in a worker of the page, and in node.

import asc from "assemblyscript/asc";
import sdk from "../../../../../guest/assemblyscript/wasgo.ts";

/**
 * @typedef {{message: string, line: number, column: number, endColumn: number, severity: "error" | "warning"}} Problem
 * line and columns from 1
 * @typedef {{ok: true, wasm: Uint8Array, sourceMap: object, problems: Problem[]} | {ok: false, problems: Problem[]}} Result
 */

/**
 * @param {string} file such as "creature.ts"
 * @param {string} source
 * @returns {Promise<Result>}
 */
export async function compile(file, source) {
  const files = { [file]: source, "wasgo.ts": sdk };
  const made = {};
  const problems = [];

  const { error, stderr } = await asc.main(
    [file, "--outFile", "script.wasm", "-O3", "--runtime", "stub", "--sourceMap", "--debug"],
    {
      readFile: (name) => files[name] ?? null,
      writeFile: (name, contents) => { made[name] = contents; },
      listFiles: () => [],
      reportDiagnostic: (diagnostic) => problems.push(problem(diagnostic, file, files)),
    },
  );

  if (error || !made["script.wasm"]) {
    if (!problems.some(({ severity }) => severity === "error"))
      problems.push({ ...nowhere, message: (error?.message ?? stderr.toString()).trim() || "the compiler failed" });
    return { ok: false, problems };
  }

  return { ok: true, wasm: made["script.wasm"], sourceMap: withSources(made["script.wasm.map"], files), problems };
}

const nowhere = { line: 1, column: 1, endColumn: 1, severity: "error" };

// A problem of another file is told at the first line of this one.
function problem({ message, category, range }, file, files) {
  const severity = category === 3 ? "error" : "warning";
  const path = range?.source?.normalizedPath;
  if (!range || path !== file) {
    const where = path ? ` (${path} ${placeOf(files[path] ?? "", range.start).line})` : "";
    return { ...nowhere, severity, message: message + where };
  }
  const { line, column } = placeOf(files[file], range.start);
  return { severity, message, line, column, endColumn: column + Math.max(range.end - range.start, 1) };
}

function placeOf(text, offset) {
  const before = text.slice(0, offset).split("\n");
  return { line: before.length, column: before[before.length - 1].length + 1 };
}

// The map with the texts in it that were compiled here, so that whoever has the module has its source.
function withSources(text, files) {
  const map = JSON.parse(text);
  return { ...map, sourcesContent: map.sources.map((name) => files[name] ?? null) };
}
