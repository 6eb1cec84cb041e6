// Whatever can be done, found by a few letters; the keys; the outline; the list of problems.
import { expectAccessible } from "../fixtures/axe.ts";
import { create, document, step } from "../fixtures/document.ts";
import { expect, test } from "../fixtures/test.ts";

const logs = (...names: string[]) => names.map((name) => step(name, "log", { message: name }));

test("the command palette does what is typed, and offers what was done last", async ({ organization, openDraft }) => {
  const { admin } = organization.as;
  await create(admin, "Palette elsewhere", document("manual", []));
  const draft = await create(admin, "Palette", document("webhook", logs("First", "Second", "Third")));
  const builder = await openDraft(draft);
  const { page } = builder;
  const box = page.getByRole("combobox", { name: "Search for a command" });
  const options = page.getByRole("listbox", { name: "Commands" }).getByRole("option");
  const find = async (text: string) => {
    await page.keyboard.press("ControlOrMeta+k");
    await expect(box).toBeFocused();
    await box.fill(text);
  };

  await builder.select("Second");
  await find("add wait");
  await expect(options).toHaveCount(0);
  await box.fill("delay");
  await expect(options.first()).toHaveText(/^Add Delay/);
  await expectAccessible(page, "the command palette");
  await box.press("Enter");
  await expect.poll(() => builder.order()).toEqual(["First", "Second", "Delay", "Third"]);
  await expect(builder.card("Delay")).toBeFocused();

  await find("thi");
  await box.press("Enter");
  await expect(builder.card("Third")).toBeFocused();

  await find("undo");
  await expect(options.first()).toContainText("Undo");
  await box.press("Enter");
  await expect.poll(() => builder.order()).toEqual(["First", "Second", "Third"]);

  // What was done last comes first; arrows choose, Escape leaves everything as it was.
  await expect(box, "it closes once all is done").toBeHidden();
  await page.keyboard.press("ControlOrMeta+k");
  await expect(options.filter({ hasText: "recent" })).toHaveCount(2);
  await expect(options.first()).toHaveText(/^Third.*recent/);
  await box.press("ArrowDown");
  await expect(options.nth(1)).toHaveAttribute("aria-selected", "true");
  await box.press("Escape");
  await expect(box).toBeHidden();

  // Integrations are asked for when the palette opens.
  await find("palette elsew");
  await expect(options.first()).toContainText("Palette elsewhere");
  await box.press("Enter");
  await expect(page.getByRole("heading", { name: "Palette elsewhere" })).toBeVisible();
  await find("runs");
  await expect(options.first()).toContainText("Runs");
  await box.press("Enter");
  await expect(page).toHaveURL(/\/runs$/);
});

test("a reader is offered nothing that changes the draft", async ({ organization, openDraft }) => {
  const draft = await create(organization.as.admin, "Only read", document("webhook", logs("First")));
  const builder = await openDraft(draft, "reader");
  await builder.page.keyboard.press("ControlOrMeta+k");
  const box = builder.page.getByRole("combobox", { name: "Search for a command" });
  const options = builder.page.getByRole("listbox", { name: "Commands" }).getByRole("option");
  for (const text of ["add", "delete", "publish", "run the test"]) {
    await box.fill(text);
    // Integrations may be called so; going there changes nothing.
    const acts = options.filter({ hasText: /^(Add|Delete|Publish|Run the test)/ }).filter({ hasNotText: /Integration$/ });
    await expect(acts).toHaveCount(0);
  }
  await box.fill("first");
  await expect(options.first()).toHaveText(/^First/);
});

test("the list of keys is there, and says what the keys do", async ({ organization, openDraft }) => {
  const draft = await create(organization.as.admin, "Keys", document("webhook", logs("First", "Second")));
  const builder = await openDraft(draft);
  await builder.card("First").click();
  await builder.page.keyboard.press("?");
  const keys = builder.page.getByRole("dialog", { name: "Keys" });
  await expect(keys.getByRole("region", { name: "On a step" })).toContainText("Duplicate the selected steps");
  await expect(keys.getByRole("region", { name: "Anywhere" })).toContainText("Go to the next problem");
  await expectAccessible(builder.page, "the list of keys");
  await builder.page.keyboard.press("Escape");
  await expect(keys).toBeHidden();
  // In a field it is a letter like any other.
  await builder.field("Message").fill("why");
  await builder.field("Message").press("End");
  await builder.field("Message").press("?");
  await expect(builder.field("Message")).toHaveValue("why?");
  await expect(keys).toBeHidden();
});

test("the outline shows the whole draft as a tree, folds, finds and goes there by keys", async ({
  organization,
  openDraft,
}) => {
  const [large, small, last] = logs("Large order", "Small order", "Last");
  const lanes = [
    { id: crypto.randomUUID(), name: "If large", when: "true", steps: [large!.id] },
    { id: crypto.randomUUID(), name: "Else", steps: [small!.id] },
  ];
  const branch = { ...step("By total", "branch", {}), lanes };
  const content = document("webhook", [branch, last!]);
  for (const inner of [large!, small!]) content.steps[inner.id] = inner;
  const builder = await openDraft(await create(organization.as.admin, "Outline", content));
  const { page } = builder;
  await page.getByRole("button", { name: "Outline" }).click();
  const search = page.getByRole("searchbox", { name: "Search the outline" });
  const tree = page.getByRole("tree", { name: "Steps" });
  const rows = tree.getByRole("treeitem");
  await expect(search).toBeFocused();
  const all = ["Trigger", "By total", "If large", "Large order", "Else", "Small order", "Last"];
  await expect(rows).toHaveText(all);
  await expectAccessible(page, "the builder with its outline");

  await search.press("ArrowDown");
  await expect(tree).toBeFocused();
  await page.keyboard.press("ArrowDown");
  await expect(rows.nth(1)).toHaveAttribute("aria-selected", "true");
  await expect(builder.field("Name")).toHaveValue("By total");
  await page.keyboard.press("ArrowLeft");
  await expect(rows).toHaveText(["Trigger", "By total", "Last"]);
  await expect(rows.nth(1)).toHaveAttribute("aria-expanded", "false");
  await page.keyboard.press("ArrowRight");
  await expect(rows).toHaveText(all);
  await page.keyboard.press("End");
  await page.keyboard.press("Enter");
  await expect(builder.card("Last")).toBeFocused();

  await search.fill("small");
  await expect(rows).toHaveText(["By total", "Else", "Small order"]);
  await rows.last().click();
  await expect(builder.card("Small order")).toBeFocused();
  await search.fill("no such step");
  await expect(page.getByText("No step is called like that.")).toBeVisible();
  await search.press("Escape");
  // It follows what happens to the steps, and stays open after a reload.
  await builder.rename("Tiny order");
  await expect(rows.nth(5)).toHaveText("Tiny order");
  await builder.saved();
  await page.reload();
  await expect(rows).toHaveCount(7);
  await page.keyboard.press("ControlOrMeta+b");
  await expect(tree).toBeHidden();
});

test("a problem leads to its step and its field", async ({ organization, openDraft }) => {
  const steps = [
    step("Log", "log", { message: "{{ steps.nope }}" }),
    step("Call", "http.request", {
      method: "GET",
      url: "https://example.com",
      headers: { a: "{{ steps.gone.x }}" },
      body_type: "none",
    }),
  ];
  const builder = await openDraft(await create(organization.as.admin, "Jump", document("webhook", steps)));
  const { page } = builder;
  await page.getByRole("button", { name: "2 problems" }).click();
  const dialog = page.getByRole("dialog", { name: "Problems" });
  await dialog.getByRole("button", { name: /Call.*`gone`/ }).click();
  await expect(builder.field("Name")).toHaveValue("Call");
  await expect(builder.panel.getByRole("textbox", { name: "Headers, value 1" })).toBeFocused();
  await page.keyboard.press("F8");
  await expect(builder.field("Name")).toHaveValue("Log");
  await expect(builder.field("Message")).toBeFocused();
});
