// The golden file gives the same bytes in the shipped module, in Chromium, as in the server's
// build (`crates/domain/tests/golden.rs` asks that one): documents, edits, expressions, hashes.
import { readFileSync } from "node:fs";

import { expect, test } from "../fixtures/test.ts";

interface Case {
  name: string;
  request: string;
  answer: string;
}

const cases: Case[] = JSON.parse(readFileSync(new URL("../golden/domain.json", import.meta.url), "utf8"));

// The module is asked from outside the page's own scripts, which its policy would not allow.
test.use({ bypassCSP: true });

test("the shipped module answers every golden case with the same bytes", async ({ page, organization }) => {
  expect(cases.length).toBeGreaterThan(50);
  await page.goto(`${organization.server.url}/sign-in`);
  await expect(page.getByRole("button", { name: "Sign in" })).toBeVisible();
  const answers = await page.evaluate(async (requests) => {
    // The page has started this very module; importing it again gives the same one.
    const script = document.querySelector<HTMLLinkElement>("link[rel=modulepreload]")!.href;
    const { probe } = await import(script);
    const answers: string[] = [];
    for (const request of requests) answers.push(await probe(request));
    return answers;
  }, cases.map((one) => one.request));
  for (const [at, one] of cases.entries()) {
    expect.soft(answers[at], one.name).toBe(one.answer);
  }
});
