// The reference compiler, kept warm: one style sheet for each line on stdin, one line on stdout when it is made.
// Ends with stdin.
//
// Line:   {"file", "loadPaths"}
// Answer: {"bytes"} | {"error"}

import { createInterface } from "node:readline";
import { initAsyncCompiler, Logger } from "sass-embedded";

const compiler = await initAsyncCompiler();
for await (const line of createInterface({ input: process.stdin })) {
  const { file, loadPaths } = JSON.parse(line);
  let answer;
  try {
    const { css } = await compiler.compileAsync(file, { loadPaths, logger: Logger.silent });
    answer = { bytes: Buffer.byteLength(css) };
  } catch (error) {
    answer = { error: error.sassMessage ?? String(error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await compiler.dispose();
