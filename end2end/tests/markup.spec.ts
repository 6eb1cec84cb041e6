// XML comes in as text and goes out as JSON; what could expand is refused.
import { create, document } from "../fixtures/document.ts";
import { expect, test } from "../fixtures/test.ts";

test("XML is read into values, and JSON is made of them", async ({ organization, openDraft }) => {
  const draft = await create(organization.as.admin, "Markup", document("webhook", []));
  const builder = await openDraft(draft);
  await builder.add("read xml");
  await builder.field("XML").fill("{{ trigger.body.file }}");
  await builder.field("Always lists").fill("line");
  await builder.add("make json", "Read XML");
  await builder.field("Value").fill("{{ steps.read_xml.value.order }}");
  const order = '<order id="7"><line>one &amp; two</line></order>';
  await builder.test({ method: "POST", headers: {}, query: {}, body: { file: order } });
  await expect(builder.testDrawer).toContainText("Succeeded");
  await builder.card("Make JSON").click();
  await expect(builder.page.getByText(/\{\\"@id\\":\\"7\\",\\"line\\":\[\\"one & two\\"\]\}/).first()).toBeVisible();

  const bomb = '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>';
  await builder.test({ method: "POST", headers: {}, query: {}, body: { file: bomb } });
  await expect(builder.page.getByText(/It has a document type/).first()).toBeVisible();
});
