// The reference compiler and the normaliser: one request on stdin, one answer on stdout, both JSON.
//
// Request: {"compile": [{"file", "loadPaths", "style"}], "normalise": ["css", ...]}
// Answer:  {"compile": [{"css"} | {"error"}], "normalise": [{"css"} | {"error"}]}
// Knows nothing of cases, engines or what is compared with what.

import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { transform } from "lightningcss";
import { initAsyncCompiler, Logger } from "sass-embedded";

async function compileAll(jobs) {
  const compiler = await initAsyncCompiler();
  const answers = [];
  let next = 0;
  const drain = async () => {
    while (next < jobs.length) {
      const at = next++;
      answers[at] = await compileOne(compiler, jobs[at]);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, drain));
  await compiler.dispose();
  return answers;
}

async function compileOne(compiler, { file, loadPaths, style }) {
  try {
    const { css } = await compiler.compileAsync(file, { loadPaths, style, logger: Logger.silent });
    return { css };
  } catch (error) {
    return { error: error.sassMessage ?? String(error) };
  }
}

function normalise(css) {
  try {
    const { code } = transform({ filename: "a.css", code: Buffer.from(css), minify: true });
    return { css: code.toString() };
  } catch (error) {
    return { error: String(error) };
  }
}

const request = JSON.parse(readFileSync(0, "utf8"));
const answer = {
  compile: request.compile.length > 0 ? await compileAll(request.compile) : [],
  normalise: request.normalise.map(normalise),
};
process.stdout.write(JSON.stringify(answer));
