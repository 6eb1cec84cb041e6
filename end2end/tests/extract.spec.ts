// Steps become an integration of their own, and a step that calls it stands where they were.
import { expectAccessible } from "../fixtures/axe.ts";
import { create, document, publish, step } from "../fixtures/document.ts";
import { expect, test } from "../fixtures/test.ts";

/** An order, its total, and what is told about both. */
function order() {
  return document("webhook", [
    step("Order", "set", { values: { lines: "{{ trigger.body.lines }}", currency: "EUR" } }),
    step("Net", "set", { values: { amount: "{{ steps.order.lines | sum }}" } }),
    step("Gross", "set", { values: { amount: "{{ steps.net.amount * 2 }}", of: "{{ trigger.body.customer }}" } }),
    step("Tell", "log", { message: "{{ steps.gross.of }}: {{ steps.net.amount }} net, {{ steps.gross.amount }} {{ steps.order.currency }} gross" }),
  ]);
}

const ORDER = { body: { lines: [20, 1], customer: "Ada" } };
const TOLD = "Ada: 21 net, 42 EUR gross";

test("selected steps become an integration of their own by keyboard, and the draft that calls it does what it did", async ({
  organization,
  openDraft,
}) => {
  const { admin } = organization.as;
  const builder = await openDraft(await create(admin, "Invoices", order()));
  const { page } = builder;
  const draft = page.url();
  await builder.card("Net").focus();
  await page.keyboard.press("Shift+ArrowDown");
  await expect(page.getByRole("group", { name: "Selected steps" })).toContainText("2 steps selected");
  await page.keyboard.press("e");
  const dialog = page.getByRole("dialog");
  await expect(dialog).toHaveAccessibleName("Extract into a new integration");
  await expect(dialog.getByRole("definition")).toHaveText(["{{ steps.order.lines }}", "{{ trigger.body.customer }}"]);
  await expect(dialog).toContainText("What used steps.net, steps.gross uses the result of the call then.");
  await expectAccessible(page, "the dialog that extracts steps");
  const name = dialog.getByRole("textbox", { name: "Name" });
  await expect(name).toHaveValue("Invoices: Net");
  await name.fill("Prices");
  await page.keyboard.press("Enter");
  await expect(dialog).toHaveAccessibleName("“Prices” is made");
  const link = dialog.getByRole("link", { name: "Open its draft" });
  await expect(link).toBeFocused();
  const made = (await link.getAttribute("href"))!.split("/").at(-1)!;
  await expectAccessible(page, "steps that were extracted");
  await dialog.getByRole("button", { name: "Go on here" }).click();
  await expect.poll(() => builder.order()).toEqual(["Order", "Prices", "Tell"]);
  await builder.select("Tell");
  await expect(builder.field("Message")).toHaveValue(/steps\.prices\.result\.gross\.of/);
  await builder.saved();

  // One act: undone and done again.
  await page.getByRole("button", { name: "Undo", exact: true }).click();
  await expect.poll(() => builder.order()).toEqual(["Order", "Net", "Gross", "Tell"]);
  await page.getByRole("button", { name: "Redo", exact: true }).click();
  await expect.poll(() => builder.order()).toEqual(["Order", "Prices", "Tell"]);
  await builder.saved();

  await publish(admin, made);
  await page.goto(draft);
  await builder.test(ORDER);
  await builder.select("Tell");
  await expect(builder.panel).toContainText(TOLD);
});

test("steps that would do something else in another integration are refused with the reason", async ({ organization, openDraft }) => {
  const only = step("Only large ones", "filter", { condition: "trigger.body.total > 100" });
  const builder = await openDraft(await create(organization.as.admin, "Orders", document("webhook", [only])));
  await builder.select("Only large ones");
  await builder.panel.getByRole("button", { name: "Extract into a new integration" }).click();
  const dialog = builder.page.getByRole("dialog");
  await expect(dialog).toContainText("“Only large ones” can end the run, but only its own.");
  await dialog.getByRole("button", { name: "Back to the steps" }).click();
  await expect(dialog).toBeHidden();
  await expect.poll(() => builder.order()).toEqual(["Only large ones"]);
});
