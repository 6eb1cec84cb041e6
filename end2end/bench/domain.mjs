// Times validation, edits and merges of a large document in the shipped module:
//     node bench/domain.mjs FILE
// FILE is what `cargo run -p domain --release --example bench -- --write FILE` wrote;
// SLUICE_SITE is the folder of the built page.
import { readFile } from "node:fs/promises";
import { openModule } from "./module.mjs";

const ROUNDS = 200;
const WARM_UP = 50;
const FIGURES = [
  ["validate_1000_wasm_us", "validate", 2000],
  ["apply_1000_wasm_us", "apply", 200],
];

const [file] = process.argv.slice(2);
const site = process.env.SLUICE_SITE ?? "../target/site";
const { document, edits, pairs, merges } = JSON.parse(await readFile(file, "utf8"));

const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};

const module = await openModule(site);
try {
  const time = async (name, subject) => {
    const rounds = ROUNDS + WARM_UP;
    const request = JSON.stringify({ verb: "bench", name, rounds, ...subject });
    const answer = JSON.parse(await module.ask(request));
    if (answer.error || answer.problems !== 0) {
      throw new Error(`${name}: ${answer.error ?? `${answer.problems} problems`}`);
    }
    const times = answer.us.slice(WARM_UP);
    return { middle: median(times), fastest: Math.min(...times) };
  };
  for (const [figure, name, goal] of FIGURES) {
    const { middle, fastest } = await time(name, { document, edits });
    console.log(JSON.stringify({ figure, value: Number(middle.toFixed(1)), unit: "us", goal }));
    console.error(`${figure}: the fastest round took ${fastest.toFixed(1)} us`);
  }
  for (const [name, [less, more], goal] of [["diff", pairs, 5000], ["merge", merges, 10000]]) {
    const [small, large] = [await time(name, less), await time(name, more)];
    // Long rounds are disturbed more often than short ones, so that only the fastest compare.
    const growth = large.fastest / small.fastest;
    for (const { value, ...rest } of [
      { figure: `${name}_1000_wasm_us`, value: small.middle, unit: "us", goal },
      { figure: `${name}_growth`, value: growth, unit: "times", goal: 5 },
    ]) {
      console.log(JSON.stringify({ ...rest, value: Number(value.toFixed(1)) }));
    }
  }
  for (const name of ["outline", "notes", "edits_between"]) {
    const { middle } = await time(name, pairs[0]);
    console.error(`${name} of 1,000 steps: ${middle.toFixed(1)} us`);
  }
  for (const edit of edits) {
    const { middle, fastest } = await time("apply", { document, edits: [edit] });
    const [kind] = Object.keys(edit);
    console.error(`${kind}: ${middle.toFixed(1)} us, the fastest ${fastest.toFixed(1)} us`);
  }
} finally {
  await module.close();
}
