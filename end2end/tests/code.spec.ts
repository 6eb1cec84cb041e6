// A step that runs JavaScript: written in the builder, tested, mended where the error says, published
// and run; and what changed of it, line by line in a review.
import { expectAccessible } from "../fixtures/axe.ts";
import { create, document, publish, save, setField, step } from "../fixtures/document.ts";
import { ReviewPage } from "../fixtures/review.ts";
import { expect, test } from "../fixtures/test.ts";

const PAYLOAD = { method: "POST", headers: {}, query: {}, body: { orders: [{ price: 2 }, { price: 40 }] } };

test("code is written, tested, mended at the line that the error names, published and run", async ({
  organization,
  openDraft,
  request,
}) => {
  const { admin } = organization.as;
  const draft = await create(admin, "Totals by code", document("webhook", []));
  const builder = await openDraft(draft);
  await builder.add("javascript");
  await builder.addRow("Input", 1, "orders", "{{ trigger.body.orders }}");
  const code = builder.field("Code");
  // Braces are the code's own: nothing closes them, nothing is suggested.
  await code.pressSequentially("const sum = { ...{ of: 0 } };\nfor (const order of input.orders) sum.of += order.prize.net;\nreturn sum;");
  await expect(builder.panel.getByRole("listbox")).toHaveCount(0);
  await expectAccessible(builder.page, "a code field");

  await builder.test(PAYLOAD);
  const failed = /Line 2, column \d+: TypeError: cannot read property 'net' of undefined/;
  await expect(builder.page.getByText(failed).first()).toBeVisible();
  await builder.page.getByRole("button", { name: "Close the test" }).click();

  // In the large editor, with the language's colours and without what expressions have.
  await builder.select("JavaScript");
  await builder.panel.getByRole("button", { name: "Open Code in the large editor" }).click();
  const dialog = builder.page.getByRole("dialog", { name: "Code" });
  const editor = dialog.getByRole("textbox", { name: "Code" });
  await expect(editor).toBeFocused();
  await expect(dialog.locator(".code-keyword").first()).toHaveText("const");
  await expect(dialog.locator(".cm-lintRange-error")).toHaveCount(0);
  for (const scheme of ["light", "dark"] as const) {
    await builder.page.emulateMedia({ colorScheme: scheme });
    await expectAccessible(builder.page, `code in the large editor, ${scheme}`);
    await builder.page.screenshot({ path: test.info().outputPath(`code-${scheme}.png`) });
  }
  await editor.press("Control+a");
  await editor.press("Delete");
  await builder.page.keyboard.insertText(
    "// {{ no expression }}\nconst sum = input.orders.reduce((sum, order) => sum + order.price, 0);\nconsole.warn(`The sum is ${sum}`);\nreturn { sum };",
  );
  await expect(async () => {
    await builder.page.keyboard.press("Escape");
    await expect(dialog).toBeHidden({ timeout: 500 });
  }).toPass();
  await expect(code).toHaveValue(/^\/\/ \{\{ no expression \}\}\nconst sum/);
  await builder.saved();

  await builder.test(PAYLOAD);
  await expect(builder.testDrawer).toContainText("Succeeded");
  await builder.card("JavaScript").click();
  const console = builder.page.getByRole("list", { name: "Console" }).first();
  await expect(console).toHaveText(/Warning.*The sum is 42/);
  await expectAccessible(builder.page, "the console of a test");

  const { webhookPath } = await publish(admin, draft);
  const called = await request.post(`${admin.url}${webhookPath}`, { data: PAYLOAD.body });
  expect(called.status()).toBe(202);
  const { run } = await called.json();
  await builder.page.goto(`/runs/${run}`);
  await expect(builder.page.getByRole("main")).toContainText("Succeeded");
  await builder.page.getByRole("button", { name: /^JavaScript/ }).click();
  await expect(builder.page.getByRole("list", { name: "Console" })).toHaveText(/Warning.*The sum is 42/);
  await expect(builder.page.getByRole("main")).toContainText("42");
  await expectAccessible(builder.page, "the console of a run");
});

test("a change of code is read line by line", async ({ organization, signedIn }) => {
  const { admin, collaborator } = organization.as;
  const sum = step("Sum", "code.javascript", { code: "const tax = 0.19;\nconst all = input.net ?? 0;\nreturn all * (1 + tax);\n" });
  const { integration } = await publish(admin, await create(admin, "Code in review", document("webhook", [sum])));
  const draft = await collaborator.call<string>("start_draft", { integration, title: "Less tax" });
  await save(collaborator, draft, [setField(sum, "code", "const tax = 0.07;\nconst all = input.net ?? 0;\nreturn all * (1 + tax);\n")]);
  const about = { title: "Less tax", description: "", reviewers: [] };
  const review = await collaborator.call<string>("create_review", { draft, ...about });
  const page = new ReviewPage(await signedIn("admin"));
  await page.open(review);
  const code = page.field("Sum", "Code");
  await expect(code.locator("del")).toHaveText(/0\.19/);
  await expect(code.locator("ins")).toHaveText(/0\.07/);
  await expect(code).toContainText("input.net");
});
