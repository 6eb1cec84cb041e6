// Expressions in the fields of a step: completion, the data to choose from, chips, and what a text
// gives with the samples of a test; by keyboard and by mouse.
import type { Locator } from "@playwright/test";

import { expectAccessible } from "../fixtures/axe.ts";
import type { Builder } from "../fixtures/builder.ts";
import { create, document, step } from "../fixtures/document.ts";
import { expect, test } from "../fixtures/test.ts";
import type { Api } from "../fixtures/api.ts";

const PAYLOAD = {
  method: "POST",
  headers: {},
  query: {},
  body: { email: "Ada@Example.com", total: 120.5, lines: [{ sku: "a" }, { sku: "b" }], "first name": "Ada" },
};

/** A draft with values made of the payload, and a message that uses them. */
async function drafted(api: Api, name: string, message: string): Promise<string> {
  const totals = step("Order totals", "set", { values: { total: "{{ trigger.body.total }}", who: "{{ trigger.body.email }}" } });
  return create(api, name, document("webhook", [totals, step("Tell", "log", { message })]));
}

/** Runs a test, so that there are samples, and selects the step that is written in. */
async function sampled(builder: Builder): Promise<Locator> {
  await builder.test(PAYLOAD);
  await builder.page.getByRole("button", { name: "Close the test" }).click();
  await builder.select("Tell");
  return builder.field("Message");
}

/** As `sampled`, with nothing in the field. */
async function emptied(builder: Builder): Promise<Locator> {
  const field = await sampled(builder);
  await field.fill("");
  return field;
}

const suggestions = (builder: Builder) => builder.panel.getByRole("listbox", { name: "Suggestions for Message" });
const preview = (field: Locator) => field.locator("xpath=ancestor::div[contains(concat(' ', @class, ' '), ' expression ')]").locator(".expression-preview");

test("an expression is completed while it is typed, by keyboard alone", async ({ organization, openDraft }) => {
  const builder = await openDraft(await drafted(organization.as.admin, "Completion", "x"));
  const message = await emptied(builder);
  const list = suggestions(builder);
  await message.focus();
  await message.pressSequentially("Hello {{");
  await expect(message).toHaveValue("Hello {{  }}");
  await expect(list.getByRole("option")).toHaveText([/Order totals/, /Trigger/, /Run/, /dict/, /range/]);
  await expect(list.getByRole("option", { selected: true })).toHaveText(/Order totals/);

  // A name that lies deep is found by its own name, with what it was in the test.
  await message.pressSequentially("emai");
  await expect(list.getByRole("option", { selected: true })).toHaveText(/email.*Ada@Example\.com.*Trigger/);
  await message.press("Enter");
  await expect(message).toHaveValue("Hello {{ trigger.body.email }}");
  await expect(list).toBeHidden();
  await expect(preview(message)).toHaveText(/Hello Ada@Example\.com.*text/);

  // Filters say what they do; Tab takes one, and the caret is where one goes on.
  await message.pressSequentially(" | lo");
  await expect(list.getByRole("option", { selected: true })).toHaveText(/lower.*A text in small letters/);
  await message.press("Tab");
  await expect(message).toHaveValue("Hello {{ trigger.body.email | lower }}");
  await expect(preview(message)).toHaveText(/Hello ada@example\.com/);

  // Typed closing braces go over those that are there.
  await message.pressSequentially("}}!");
  await expect(message).toHaveValue("Hello {{ trigger.body.email | lower }}!");

  // Escape takes the list away and leaves the text; Ctrl+Space brings it back.
  await message.fill("");
  await message.pressSequentially("{{ steps.order_totals.");
  await expect(list.getByRole("option")).toHaveText([/total.*120\.5/, /who.*Ada@Example\.com/]);
  await message.press("Escape");
  await expect(list).toBeHidden();
  await message.press("Control+Space");
  await message.press("ArrowDown");
  await message.press("ArrowUp");
  await message.press("Enter");
  await expect(message).toHaveValue("{{ steps.order_totals.total }}");
  await expect(preview(message)).toHaveText(/120\.5.*number/);

  // What a list wrote is undone like what was typed.
  await message.press("Control+z");
  await expect(message).not.toHaveValue(/\.total/);
});

test("a word that begins with a slash finds a value, and never takes a key from an address", async ({
  organization,
  openDraft,
}) => {
  const builder = await openDraft(await drafted(organization.as.admin, "Slash", "x"));
  const message = await emptied(builder);
  await message.focus();
  await message.pressSequentially("to /email");
  await expect(suggestions(builder).getByRole("option", { selected: true })).toHaveText(/email/);
  await message.press("Enter");
  await expect(message).toHaveValue("to {{ trigger.body.email }}");
  await message.pressSequentially(" https://example.com/total ");
  await expect(suggestions(builder)).toBeHidden();
  await expect(message).toHaveValue("to {{ trigger.body.email }} https://example.com/total ");
});

test("the data of earlier steps is chosen from a tree: by keys, by search and by dragging", async ({
  organization,
  openDraft,
}) => {
  const builder = await openDraft(await drafted(organization.as.admin, "Tree", "x"));
  const page = builder.page;
  const message = await emptied(builder);
  await message.focus();
  await message.press("Control+Space");
  const dialog = builder.panel.getByRole("dialog", { name: "Data for Message" });
  const search = dialog.getByRole("searchbox", { name: "Search data" });
  await expect(search).toBeFocused();
  await expectAccessible(page, "the tree of data");
  await page.keyboard.press("ArrowDown");
  const line = (name: RegExp) => dialog.getByRole("treeitem", { name });
  await expect(line(/^Order totals/)).toBeFocused();
  await page.keyboard.press("ArrowRight");
  await expect(line(/^total/)).toBeFocused();
  await page.keyboard.press("End");
  await page.keyboard.press("ArrowUp");
  await expect(line(/^Trigger/)).toBeFocused();
  await page.keyboard.press("ArrowRight");
  await expect(line(/^Trigger/)).toHaveAttribute("aria-expanded", "true");
  await page.keyboard.press("ArrowRight");
  await expect(line(/^method/)).toBeFocused();
  await page.keyboard.press("ArrowLeft");
  await expect(line(/^Trigger/)).toBeFocused();
  await page.keyboard.press("Escape");
  await expect(dialog).toBeHidden();
  await expect(message).toBeFocused();

  // With the button, and by searching.
  await builder.panel.getByRole("button", { name: "Insert data into Message" }).click();
  await search.fill("first");
  await expect(line(/^first name.*Ada/)).toBeVisible();
  await search.press("Enter");
  await expect(message).toHaveValue("{{ trigger.body['first name'] }}");
  await expect(message).toBeFocused();
  await expect(preview(message)).toHaveText(/Ada.*text/);

  // Dragged from the panel onto the field.
  await message.fill("");
  await builder.panel.getByText("Data you can use").click();
  const standing = builder.panel.getByRole("group").getByRole("tree", { name: "Data" });
  await standing.getByRole("treeitem", { name: /^who/ }).dragTo(message);
  await expect(message).toHaveValue("{{ steps.order_totals.who }}");
  await builder.saved();
});

test("references are shown as chips with the names of steps, broken ones apart", async ({ organization, openDraft }) => {
  const text = "For {{ steps.order_totals.total | round }} and {{ steps.nobody.id }}";
  const builder = await openDraft(await drafted(organization.as.admin, "Chips", text));
  await builder.select("Tell");
  const chips = builder.panel.locator(".mark-chip");
  await expect(chips).toHaveText(["Order totals › total | round", "nobody › id"]);
  await expect(chips.nth(0)).not.toHaveClass(/is-broken/);
  await expect(chips.nth(1)).toHaveClass(/is-broken/);
  // The text itself is there for whoever types or listens.
  const message = builder.field("Message");
  await expect(message).toHaveValue(text);
  await expect(message).toHaveAccessibleDescription(/There is no step called `nobody`/);
  await message.focus();
  await expect(chips).toHaveCount(0);
  await message.blur();
  await expect(chips).toHaveCount(2);

  await builder.select("Order totals");
  await builder.rename("Sums");
  await builder.select("Tell");
  await expect(chips.nth(0)).toHaveText("Sums › total | round");
});

test("a fault is told with its place, and one can go there", async ({ organization, openDraft }) => {
  const builder = await openDraft(await drafted(organization.as.admin, "Faults", "x"));
  await builder.select("Tell");
  const message = builder.field("Message");
  await message.fill("Sum: {{ trigger.body.total + }}");
  await expect(message).toHaveAccessibleDescription(/A value is missing at the end of the expression/);
  await message.fill("Sum: {{ trigger.body.total & 1 }}");
  await preview(message).getByRole("button", { name: "Go to character 28" }).click();
  await expect(message).toBeFocused();
  const selected = await message.evaluate((input: HTMLTextAreaElement) =>
    input.value.slice(input.selectionStart, input.selectionEnd),
  );
  expect(selected).toBe("&");

  // Without a sample it says so, and opens the test.
  await message.fill("{{ steps.order_totals.total }}");
  await expect(preview(message)).toHaveText("No sample of Order totals yet: run a test");
  await preview(message).getByRole("button", { name: "run a test" }).click();
  await expect(builder.testDrawer).toBeVisible();
  await builder.test(PAYLOAD);
  await expect(preview(message)).toHaveText(/120\.5.*number/);
  await message.fill("{{ steps.order_totals.who + 1 }}");
  await expect(preview(message)).toHaveText(/With the sample: .*`\+` does not go with a text and a number/);
});

test("the large editor completes, marks faults, and writes into the field", async ({ organization, openDraft }) => {
  const call = step("Call", "http.request", { method: "POST", url: "https://example.com", body_type: "json" });
  const draft = await create(organization.as.admin, "Large editor", document("webhook", [call, step("Tell", "log", {})]));
  const builder = await openDraft(draft);
  await builder.testDrawer.waitFor({ state: "detached" });
  await builder.page.getByRole("button", { name: "Test", exact: true }).click();
  await builder.testDrawer.getByRole("textbox", { name: "Payload" }).fill(JSON.stringify(PAYLOAD));
  await builder.page.getByRole("button", { name: "Close the test" }).click();
  await builder.select("Call");
  const field = builder.panel.getByRole("textbox", { name: "JSON body optional", exact: true });
  await expect(field).toHaveValue("");

  await builder.panel.getByRole("button", { name: "Open JSON body in the large editor" }).click();
  const dialog = builder.page.getByRole("dialog", { name: "JSON body" });
  const editor = dialog.getByRole("textbox", { name: "JSON body" });
  await expect(editor).toBeFocused();
  // Brackets and quotes close themselves; typing the closing one goes over it.
  await editor.pressSequentially('{"id": {{ trigger.body.');
  const options = dialog.getByRole("option");
  await expect(options).toHaveText([/email.*Ada@Example\.com/, /total.*120\.5/, /lines.*list of 2/, /first name.*Ada/]);
  await editor.press("ArrowDown");
  await editor.press("Enter");
  await expect(field).toHaveValue('{"id": {{ trigger.body.total}}}');
  await expect(dialog.locator(".expression-preview")).toHaveText(/\{"id":120\.5\}.*object with 1 field/);
  await editor.pressSequentially(" | rou");
  await expect(options.first()).toHaveText("round");
  await editor.press("Enter");
  await editor.press("Delete");
  await editor.press("0");
  await expect(field).toHaveValue('{"id": {{ trigger.body.total | round(0)}}}');
  for (const scheme of ["light", "dark"] as const) {
    await builder.page.emulateMedia({ colorScheme: scheme });
    await expectAccessible(builder.page, `the large editor, ${scheme}`);
    await builder.page.screenshot({ path: test.info().outputPath(`large-${scheme}.png`) });
  }

  // What is wrong is underlined at its place.
  await editor.press("Control+a");
  await editor.press("Delete");
  await editor.pressSequentially("{{ steps.nobody.x ");
  await expect(dialog.locator(".cm-lintRange-error")).toHaveText("steps.nobody.x");
  // Its own undo, and not that of the builder.
  await expect(async () => {
    await editor.press("Control+z");
    await expect(field).toHaveValue('{"id": {{ trigger.body.total | round(0)}}}', { timeout: 500 });
  }).toPass();

  // Escape closes; the field has the text, and it is saved.
  await expect(async () => {
    // The first one may give up what is selected, or a list.
    await builder.page.keyboard.press("Escape");
    await expect(dialog).toBeHidden({ timeout: 500 });
  }).toPass();
  await builder.saved();
  await builder.page.reload();
  await builder.select("Call");
  await expect(builder.field("JSON body")).toHaveValue('{"id": {{ trigger.body.total | round(0)}}}');
});

test("examples fill a field, notes are written with a toolbar, and the error policy says what holds", async ({
  organization,
  openDraft,
}) => {
  const draft = await create(organization.as.admin, "Forms", document("webhook", [step("Tell", "log", {})]));
  const builder = await openDraft(draft);
  await builder.select("Tell");
  const example = builder.panel.getByRole("button", { name: "Use the example for Message" });
  await example.press("Enter");
  await expect(builder.field("Message")).toHaveValue("Order {{ trigger.body.id }} came in");
  await expect(builder.field("Message")).toBeFocused();
  await expect(example).toBeHidden();

  await builder.panel.getByText("Notes", { exact: true }).click();
  const notes = builder.field("For the next reader, in Markdown");
  await notes.fill("Rows come sorted.");
  await notes.press("Control+a");
  await notes.press("Control+b");
  await expect(notes).toHaveValue("**Rows come sorted.**");
  await builder.panel.getByRole("tab", { name: "Preview" }).click();
  await expect(builder.panel.locator(".markdown-preview strong")).toHaveText("Rows come sorted.");

  const policy = builder.panel.getByText("When it fails");
  await expect(policy).toHaveText(/the run fails$/);
  await policy.click();
  await builder.field("Retries").fill("2");
  await builder.field("Retries").press("Tab");
  await expect(policy).toHaveText(/2 retries, then the run fails$/);
  await builder.saved();
  await builder.page.reload();
  await builder.select("Tell");
  await expect(builder.field("For the next reader, in Markdown")).toHaveValue("**Rows come sorted.**");
});

test("the condition of a lane is completed like any other field", async ({ organization, openDraft }) => {
  const draft = await create(organization.as.admin, "Lanes", document("webhook", [step("Values", "set", { values: { total: 1 } })]));
  const builder = await openDraft(draft);
  await builder.add("branch", "Values");
  const condition = builder.panel.getByRole("textbox", { name: "Runs when" }).first();
  await condition.focus();
  await condition.pressSequentially("steps.values.to");
  await expect(builder.panel.getByRole("listbox", { name: "Suggestions for Runs when" }).getByRole("option")).toHaveText([/total/]);
  await condition.press("Enter");
  await condition.pressSequentially(" > 100");
  await expect(condition).toHaveValue("steps.values.total > 100");
  await builder.saved();
});

test("the fields are accessible in light and dark, with the list and the tree open", async ({
  organization,
  openDraft,
}) => {
  const builder = await openDraft(
    await drafted(organization.as.admin, "Looks", "Order over {{ steps.order_totals.total }} from {{ trigger.body.email }}"),
  );
  const page = builder.page;
  const message = await sampled(builder);
  for (const scheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme: scheme });
    await message.blur();
    await expectAccessible(page, `chips, ${scheme}`);
    await page.screenshot({ path: test.info().outputPath(`chips-${scheme}.png`) });
    await message.focus();
    await message.press("End");
    await message.pressSequentially(" {{ t");
    await expect(suggestions(builder)).toBeVisible();
    await expectAccessible(page, `suggestions, ${scheme}`);
    await page.screenshot({ path: test.info().outputPath(`list-${scheme}.png`) });
    await message.press("Escape");
    await message.press("Alt+ArrowDown");
    await expect(page.getByRole("searchbox", { name: "Search data" })).toBeFocused();
    await expectAccessible(page, `the tree of data, ${scheme}`);
    await page.screenshot({ path: test.info().outputPath(`tree-${scheme}.png`) });
    await page.keyboard.press("Escape");
    await message.fill("Order over {{ steps.order_totals.total }} from {{ trigger.body.email }}");
  }
});
