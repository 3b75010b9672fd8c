// Compiles where the page does not wait for it.

self.onmessage = async ({ data: { id, language, file, source } }) => {
  try {
    const { compile } = language === "wat" ? await import("./wat.js") : await import("./assemblyscript.js");
    const result = await compile(file, source);
    self.postMessage({ id, ...result }, result.ok ? [result.wasm.buffer] : []);
  } catch (error) {
    const message = `the compiler failed: ${error?.message ?? error}`;
    self.postMessage({ id, ok: false, problems: [{ severity: "error", message, line: 1, column: 1, endColumn: 1 }] });
  }
};

self.postMessage({ id: 0 });
