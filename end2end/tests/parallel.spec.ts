// Lanes and rounds that run beside each other.
import { expectAccessible } from "../fixtures/axe.ts";
import { create, document } from "../fixtures/document.ts";
import { expect, test } from "../fixtures/test.ts";

test("the lanes of a parallel step all run, and what they gave is found under their names", async ({
  organization,
  openDraft,
  target,
}) => {
  target.answer("/customer", 200, { name: "first" });
  target.answer("/orders", 200, [1, 2, 3]);
  const draft = await create(organization.as.admin, "Beside", document("webhook", []));
  const builder = await openDraft(draft);
  await builder.add("fork");
  await expect(builder.lane("Lane 1")).toBeVisible();
  await expect(builder.lane("Lane 2")).toBeVisible();
  await expect(builder.panel.getByText("Else: runs when no other lane does.")).toBeHidden();
  await builder.panel.getByRole("textbox", { name: "Name of the lane" }).first().fill("Customer");
  await builder.panel.getByRole("button", { name: "Add lane" }).click();
  await expect(builder.lane("Lane 3")).toBeVisible();

  await builder.addAt("Add a step at the start of Customer", "http");
  await builder.field("URL").fill(target.url("/customer"));
  await builder.addAt("Add a step at the start of Lane 2", "http");
  await builder.field("URL").fill(target.url("/orders"));
  await builder.add("log", "Parallel");
  await builder.field("Message").fill("{{ steps.parallel.results['Lane 1'].status }}");
  await expect(builder.field("Message")).toHaveAccessibleDescription(/has no `Lane 1`.*Customer/s);
  await builder
    .field("Message")
    .fill("{{ steps.parallel.results.Customer.body.name }} of {{ steps.parallel.results['Lane 2'].body | length }}");
  await expect(builder.field("Message")).not.toHaveAttribute("aria-invalid", "true");
  await builder.test({ method: "POST", headers: {}, query: {}, body: {} });
  await expect(builder.testDrawer).toContainText("Succeeded");
  await builder.card("Log").click();
  await expect(builder.page.getByText("first of 3").first()).toBeVisible();

  await builder.card("Parallel").click();
  await expectAccessible(builder.page, "a parallel step in the builder");
  // A lane that is called something else now is told of where it was used.
  await builder.panel.getByRole("textbox", { name: "Name of the lane" }).first().fill("Lane 2");
  await expect(builder.panel).toContainText("Another lane is called `Lane 2`, too.");
  await builder.card("Log").click();
  await expect(builder.field("Message")).toHaveAccessibleDescription(/has no `Customer`/);
});

test("rounds of a loop run at once as many as it says", async ({
  organization,
  openDraft,
  target,
}) => {
  target.answer("/item", 200, {});
  const draft = await create(organization.as.admin, "Rounds", document("webhook", []));
  const builder = await openDraft(draft);
  await builder.add("loop");
  await builder.field("List to go through").fill("{{ range(6) }}");
  await builder.field("Rounds at once").fill("60");
  await expect(builder.field("Rounds at once")).toHaveAttribute("aria-invalid", "true");
  await builder.field("Rounds at once").fill("3");
  await expect(builder.field("Rounds at once")).not.toHaveAttribute("aria-invalid", "true");
  await builder.addAt("Add a step at the start of Each item", "http");
  await builder.field("URL").fill(target.url("/item"));
  await builder.test({ method: "POST", headers: {}, query: {}, body: {} });
  await expect(builder.testDrawer).toContainText("Succeeded");
  expect(target.at("/item")).toHaveLength(6);
});
