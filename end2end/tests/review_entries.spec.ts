// Comments and suggestions on one entry of a field: a header, an item of JSON.
import { expectAccessible } from "../fixtures/axe.ts";
import { create, document, publish, save, setField, step } from "../fixtures/document.ts";
import { ReviewPage } from "../fixtures/review.ts";
import { expect, test } from "../fixtures/test.ts";

const HEADERS = { Accept: "application/json", "X-Run": "{{ run.id }}", A: "1", B: "2", C: "3", D: "4" };
const LINES = { lines: [{ sku: "a", count: 1 }, { sku: "b", count: 2 }] };

test("an entry is commented, follows its new name, and a suggestion for it leaves the others alone", async ({
  organization,
  signedIn,
}) => {
  const { admin, collaborator } = organization.as;
  const send = step("Send", "http.request", {
    method: "POST",
    url: "https://example.com/orders",
    headers: HEADERS,
    body_type: "json",
    json: LINES,
  });
  const { integration } = await publish(admin, await create(admin, "By entry", document("manual", [send])));
  await admin.call("set_policy", { integration, policy: {} });
  const draft = await collaborator.call<string>("start_draft", { integration, title: "Trace it" });
  const traced = { ...HEADERS, "X-Run": "run {{ run.id }}" };
  await save(collaborator, draft, [
    setField(send, "headers", traced),
    setField(send, "json", { lines: [{ sku: "a", count: 1 }, { sku: "b", count: 3 }] }),
  ]);
  const fields = { draft, title: "Trace it", description: "", reviewers: [] };
  const review = await collaborator.call<string>("create_review", fields);
  const [reviewer, author] = [new ReviewPage(await signedIn("admin")), new ReviewPage(await signedIn("collaborator"))];
  await reviewer.open(review);
  await author.open(review);

  // What did not change is folded, and there when it is wanted.
  const headers = reviewer.field("Send", "Headers");
  await expect(headers).toContainText("X-Run");
  await expect(headers).not.toContainText("Accept");
  await headers.getByRole("button", { name: "5 more entries" }).click();
  await expect(headers).toContainText("Accept");

  const header = "Headers, “X-Run”, of Send";
  await reviewer.page.getByRole("button", { name: `Comment on ${header}`, exact: true }).click();
  await reviewer.writing(header).fill("Why the word?");
  await reviewer.page.getByRole("button", { name: "Suggest a value" }).click();
  const value = reviewer.page.getByRole("textbox", { name: "Suggested value of Headers, “X-Run”" });
  await expect(value).toHaveValue("run {{ run.id }}");
  await value.fill("{{ run.id }}-1");
  await expectAccessible(reviewer.page, "a suggestion for an entry");
  await reviewer.page.getByRole("button", { name: "Comment now" }).click();
  await expect(author.thread(header)).toContainText("Why the word?");

  const count = "JSON body, “lines[1].count”, of Send";
  await reviewer.page.getByRole("button", { name: `Comment on ${count}`, exact: true }).click();
  await reviewer.writing(count).fill("Three?");
  await reviewer.page.getByRole("button", { name: "Comment now" }).click();
  await expect(author.thread(count)).toContainText("Three?");

  // The header is renamed, the item is moved: the threads stay with them and are not outdated.
  const { "X-Run": run, ...rest } = traced;
  await save(collaborator, draft, [
    setField(send, "headers", { ...rest, "X-Request": run }),
    setField(send, "json", { lines: [{ sku: "new" }, { sku: "a", count: 1 }, { sku: "b", count: 3 }] }),
  ]);
  const renamed = author.thread("Headers, “X-Request”, of Send");
  await expect(renamed).toContainText("Why the word?");
  await expect(renamed).not.toContainText("has changed since");
  await expect(author.thread("JSON body, “lines[2].count”, of Send")).toContainText("Three?");
  await renamed.getByRole("button", { name: "Apply" }).click();
  await expect(renamed).toContainText("in revision 4, suggested by");
  const headersNow = async () => (await admin.call("read_draft", { id: draft })).document.steps[send.id].config.headers;
  await expect.poll(headersNow).toEqual({ ...rest, "X-Request": "{{ run.id }}-1" });

  // The entry goes: its thread says so.
  await save(collaborator, draft, [setField(send, "json", { lines: [] })]);
  await expect(author.thread(count)).toContainText("“lines[1].count” is not in the draft any more.");
});
