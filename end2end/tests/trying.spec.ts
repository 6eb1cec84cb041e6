// A try: what fails in it is dealt with, and the run goes on.
import { expectAccessible } from "../fixtures/axe.ts";
import { create, document } from "../fixtures/document.ts";
import { expect, test } from "../fixtures/test.ts";

test("a request that fails is dealt with by the other lane, which sees why", async ({
  organization,
  openDraft,
  target,
}) => {
  target.answer("/missing", 404, { message: "no such customer" });
  const draft = await create(organization.as.admin, "Trying", document("webhook", []));
  const builder = await openDraft(draft);
  await builder.add("catch");
  await expect(builder.panel).toContainText("steps.try.error");
  await expect(builder.lane("Try")).toBeVisible();
  await expect(builder.lane("If it fails")).toBeVisible();

  await builder.addAt("Add a step at the start of Try", "http");
  await builder.field("URL").fill(target.url("/missing"));
  await builder.addAt("Add a step at the start of If it fails", "log");
  await builder.field("Message").fill("{{ steps.try.result }}");
  await expect(builder.field("Message")).toHaveAccessibleDescription(/`steps\.try` has no `result`/);
  await builder.field("Message").fill("{{ steps.try.error.code }} of {{ steps.try.error.name }}");
  await expect(builder.field("Message")).not.toHaveAttribute("aria-invalid", "true");
  await builder.add("log", "Try");
  await builder.field("Message").fill("Then: {{ steps.try.result.message }}");
  await builder.test({ method: "POST", headers: {}, query: {}, body: {} });
  await expect(builder.testDrawer).toContainText("Succeeded");
  expect(target.at("/missing")).toHaveLength(1);
  await builder.card("Log 2").click();
  await expect(builder.page.getByText("Then: http_404 of HTTP request").first()).toBeVisible();
  await expectAccessible(builder.page, "a try in the builder");
});
