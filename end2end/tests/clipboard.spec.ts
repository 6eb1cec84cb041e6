// Steps are copied, cut and pasted: as text, across integrations and tabs.
import type { Page } from "@playwright/test";

import { Builder } from "../fixtures/builder.ts";
import { create, document, step } from "../fixtures/document.ts";
import { expect, test } from "../fixtures/test.ts";

/** What a person would find in the clipboard. */
const clipboard = (page: Page) => page.evaluate(() => navigator.clipboard.readText());

/** Puts a text there, as another program would. */
const put = (page: Page, text: string) => page.evaluate((text) => navigator.clipboard.writeText(text), text);

/** Selects a card and presses keys on it. */
async function press(builder: Builder, card: string, keys: string): Promise<void> {
  await builder.card(card).click();
  await expect(builder.card(card)).toBeFocused();
  await builder.page.keyboard.press(keys);
}

test("steps are copied to another integration with what is in them, without their secrets", async ({
  organization,
  openDraft,
}) => {
  const { admin } = organization.as;
  const call = step("Call", "http.request", {
    method: "GET",
    url: "https://example.com/{{ steps.rows.item.id }}",
    headers: { authorization: "Bearer not for everyone", accept: "text/plain" },
    body_type: "none",
  });
  const rows = step("Rows", "loop", { items: "{{ trigger.body.rows }}" });
  const lane = { id: crypto.randomUUID(), name: "Each item", steps: [call.id] };
  const from = document("webhook", [{ ...rows, lanes: [lane] }]);
  from.steps[call.id] = call;
  const builder = await openDraft(await create(admin, "Copied from", from));
  await press(builder, "Rows", "ControlOrMeta+c");
  await expect(builder.page.getByText(/2 steps copied\. 1 secret was left behind/)).toBeVisible();
  const text = await clipboard(builder.page);
  expect(JSON.parse(text)).toMatchObject({ sluice: "steps", version: 1 });
  expect(text).not.toContain("not for everyone");

  // Another integration, in another tab, that has a step of that name already.
  const to = document("manual", [step("Rows", "log", { message: "a" }), step("Last", "log", { message: "b" })]);
  const draft = await create(admin, "Copied to", to);
  const page = await builder.page.context().newPage();
  await page.goto(`/drafts/${draft}`);
  const other = new Builder(page);
  await page.bringToFront();
  await press(other, "Rows", "ControlOrMeta+v");
  await expect.poll(() => other.order()).toEqual(["Rows", "Rows", "Last"]);
  expect(await other.order("Each item")).toEqual(["Call"]);
  await other.saved();
  const saved = await admin.call("read_draft", { id: draft });
  const steps = Object.values<any>(saved.document.steps);
  const pasted = steps.find((step) => step.kind === "http.request");
  expect(pasted.config.url).toBe("https://example.com/{{ steps.rows_2.item.id }}");
  expect(pasted.config.headers).toEqual({ accept: "text/plain", authorization: "" });
  expect(pasted.id).not.toBe(call.id);

  // One undo takes all of it back.
  await page.keyboard.press("ControlOrMeta+z");
  await expect.poll(() => other.order()).toEqual(["Rows", "Last"]);
});

test("a step is cut and pasted where the focus is, and text of all kinds is refused in words", async ({
  organization,
  openDraft,
}) => {
  const steps = ["One", "Two", "Three"].map((name) => step(name, "log", { message: name }));
  const draft = await create(organization.as.admin, "Cut and paste", document("webhook", steps));
  const builder = await openDraft(draft);
  await press(builder, "One", "ControlOrMeta+x");
  await expect.poll(() => builder.order()).toEqual(["Two", "Three"]);
  await press(builder, "Three", "ControlOrMeta+v");
  await expect.poll(() => builder.order()).toEqual(["Two", "Three", "One"]);
  await expect(builder.card("One")).toBeFocused();
  const start = builder.flow.getByRole("button", { name: "Add a step at the start" });
  await start.focus();
  await builder.page.keyboard.press("ControlOrMeta+v");
  await expect.poll(() => builder.order()).toEqual(["One", "Two", "Three", "One"]);

  for (const [text, answer] of [
    ["just some words", "What was pasted are no steps."],
    ['{"sluice": "steps", "version": 9}', "come from a newer version"],
    ['{"sluice": "steps", "version": 1, "steps": [{"id": 1}]}', "cannot be read"],
  ] as const) {
    await put(builder.page, text);
    await press(builder, "Two", "ControlOrMeta+v");
    await expect(builder.page.getByText(answer)).toBeVisible();
  }
  expect(await builder.order()).toHaveLength(4);

  // In a field, text is text.
  await put(builder.page, "typed");
  await builder.select("Two");
  await builder.field("Message").fill("");
  await builder.field("Message").press("ControlOrMeta+v");
  await expect(builder.field("Message")).toHaveValue("typed");
  await builder.saved();
});

test("who may not edit copies, and neither cuts nor pastes", async ({ organization, openDraft }) => {
  const draft = await create(
    organization.as.admin,
    "Only copied",
    document("webhook", [step("Only", "log", { message: "a" })]),
  );
  const builder = await openDraft(draft, "reader");
  await press(builder, "Only", "ControlOrMeta+c");
  expect(await clipboard(builder.page)).toContain('"Only"');
  await builder.page.keyboard.press("ControlOrMeta+v");
  await builder.page.keyboard.press("ControlOrMeta+x");
  await expect(builder.steps().getByRole("listitem").filter({ hasText: "Only" })).toHaveCount(1);
});

test("several selected steps are copied as one, and pasted behind the last of them", async ({
  organization,
  openDraft,
}) => {
  const steps = ["One", "Two", "Three"].map((name) => step(name, "log", { message: name }));
  steps[1]!.config.message = "{{ steps.one.message }}";
  const draft = await create(organization.as.admin, "Copied together", document("webhook", steps));
  const builder = await openDraft(draft);
  await builder.card("One").click();
  await builder.card("Two").click({ modifiers: ["ControlOrMeta"] });
  await builder.page.keyboard.press("ControlOrMeta+c");
  await builder.page.keyboard.press("ControlOrMeta+v");
  await expect.poll(() => builder.order()).toEqual(["One", "Two", "One", "Two", "Three"]);
  await builder.saved();
  const saved = await organization.as.admin.call("read_draft", { id: draft });
  const pasted = saved.document.steps[saved.document.flow[3]];
  expect(pasted.config.message).toBe("{{ steps.one_2.message }}");
  await builder.page.keyboard.press("ControlOrMeta+z");
  await expect.poll(() => builder.order()).toEqual(["One", "Two", "Three"]);
});
