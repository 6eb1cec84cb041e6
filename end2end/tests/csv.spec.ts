// A table comes in as text and goes out as another one.
import { create, document } from "../fixtures/document.ts";
import { expect, test } from "../fixtures/test.ts";

test("rows are read out of a CSV, and another CSV is made of them", async ({ organization, openDraft }) => {
  const draft = await create(organization.as.admin, "Tables", document("webhook", []));
  const builder = await openDraft(draft);
  await builder.add("read csv");
  await builder.field("CSV").fill("{{ trigger.body.file }}");
  await builder.field("Separator").selectOption({ label: "Semicolon" });
  await builder.add("make csv", "Read CSV");
  await builder.field("Rows").fill("{{ steps.read_csv.rows }}");
  await builder.field("Columns").fill("note\nid");
  await builder.test({ method: "POST", headers: {}, query: {}, body: { file: "id;note\n1;one, or two\n2;three" } });
  await expect(builder.testDrawer).toContainText("Succeeded");
  await builder.card("Make CSV").click();
  await expect(builder.page.getByText(/note,id\\r\\n\\"one, or two\\",1\\r\\nthree,2\\r\\n/).first()).toBeVisible();

  await builder.test({ method: "POST", headers: {}, query: {}, body: { file: "id;note\n1" } });
  await expect(builder.page.getByText(/The row in line 2 has 1 value, the first one has 2\./).first()).toBeVisible();
});
