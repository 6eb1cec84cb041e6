// What people and other systems should not send, and a server that goes away: each gets a clear
// message, nothing typed is lost, the server stays up.
import { Api } from "../fixtures/api.ts";
import { Builder } from "../fixtures/builder.ts";
import { create, document, publish, step } from "../fixtures/document.ts";
import { Server } from "../fixtures/server.ts";
import { contextOf, expect, setUp, test, watched } from "../fixtures/test.ts";

const LARGE = 10 * 1024 * 1024;
const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
const json = { "content-type": "application/json" };

test.afterEach(async ({ organization }) => {
  expect(organization.server.isUp(), organization.server.log()).toBe(true);
  const health = await fetch(`${organization.server.url}/health/ready`);
  expect(health.status).toBe(200);
});

test("broken expressions, unknown references and invalid addresses are said at their field", async ({
  organization,
  openDraft,
}) => {
  const request = step("Call", "http.request", { method: "GET", url: "https://api.example.com", body_type: "none" });
  const draft = await create(organization.as.admin, "Bad fields", document("webhook", [request]));
  const builder = await openDraft(draft);
  await builder.select("Call");
  const url = builder.field("URL");
  for (const [typed, said] of [
    ["https://api.example.com/{{ trigger.body.id", /closed|`}}`/],
    ["https://api.example.com/{{ trigger.body.id | }}", /The name of a filter is missing after `\|`/],
    ["https://api.example.com/{{ trigger.body.id | shout }}", /There is no filter called `shout`\./],
    ["https://api.example.com/{{ steps.nobody.id }}", /There is no step called `nobody`\./],
    ["https://api.example.com/{{ customer.id }}", /There is no value called `customer`\./],
    ["not an address", /`not an address` is not a web address\. Start it with https:\/\//],
    ["ftp://example.com/file", /is not a web address\./],
    ["http://", /is not a web address\./],
  ] as const) {
    await url.fill(typed);
    await expect(url).toHaveAccessibleDescription(said);
    await expect(url).toHaveAttribute("aria-invalid", "true");
    await expect(builder.page.getByRole("button", { name: "Publish", exact: true })).toBeDisabled();
  }
  await builder.saved();
  await builder.page.reload();
  await builder.select("Call");
  await expect(url, "what is wrong is kept all the same").toHaveValue("http://");
});

test("a payload of 10 MB is refused with a message by the webhook, the test address and the builder", async ({
  organization,
  openDraft,
}) => {
  const admin = organization.as.admin;
  const note = () => document("webhook", [step("Note", "log", { message: "in" })]);
  const { webhookPath, integration } = await publish(admin, await create(admin, "Large payload", note()));
  const body = JSON.stringify({ text: "x".repeat(LARGE) });
  const refused = await fetch(`${admin.url}${webhookPath}`, { method: "POST", headers: json, body });
  expect(refused.status).toBe(413);
  expect(refused.headers.get("content-type")).toContain("application/json");
  expect(await refused.text()).toMatch(/at most|larger|MB|bytes/i);
  const runs = await admin.call("runs", { integration, state: null, before: null });
  expect(runs, "a refused event starts nothing").toEqual([]);

  const draft = await create(admin, "Large test payload", note());
  const { catch_path, summary } = await admin.call("read_draft", { id: draft });
  const caught = await fetch(`${admin.url}${catch_path}`, { method: "POST", headers: json, body });
  expect(caught.status).toBe(413);
  const test = `{"id":"${draft}","revision":${summary.revision},"scope":"whole","payload":${body}}`;
  expect((await admin.askText("start_test", test)).status).toBe(413);

  const builder = await openDraft(draft);
  await builder.page.getByRole("button", { name: "Test", exact: true }).click();
  const payload = builder.testDrawer.getByRole("textbox", { name: "Payload" });
  await payload.fill(body);
  await expect(payload).toHaveAccessibleDescription(/The payload has \d+ bytes\. At most 2097152 are allowed\./);
  await builder.testDrawer.getByRole("button", { name: "Run test" }).click();
  await expect(builder.testDrawer.getByRole("alert")).toHaveText(/The payload has \d+ bytes/);
  await payload.fill('{"body": {}}');
  await builder.test();
  await expect(builder.testDrawer).toContainText("Succeeded");
});

test("JSON nested 10,000 deep is refused with a message everywhere", async ({ organization, openDraft }) => {
  const admin = organization.as.admin;
  const note = () => document("webhook", [step("Note", "log", { message: "in" })]);
  const { webhookPath } = await publish(admin, await create(admin, "Deep payload", note()));
  const deep = nested(10_000);
  const refused = await fetch(`${admin.url}${webhookPath}`, { method: "POST", headers: json, body: deep });
  expect([400, 422]).toContain(refused.status);
  expect(await refused.text()).toMatch(/nested deeper than 100 levels/);

  const draft = await create(admin, "Deep test payload", note());
  const test = `{"id":"${draft}","revision":1,"scope":"whole","payload":${deep}}`;
  const answer = await admin.askText("start_test", test);
  expect(answer.status).toBe(422);
  expect(JSON.stringify(answer.body)).toMatch(/nested deeper than 100 levels/);

  const builder = await openDraft(draft);
  await builder.page.getByRole("button", { name: "Test", exact: true }).click();
  const payload = builder.testDrawer.getByRole("textbox", { name: "Payload" });
  await payload.fill(deep);
  await expect(payload).toHaveAccessibleDescription(/nested deeper than 100 levels/);
  await builder.testDrawer.getByRole("button", { name: "Run test" }).click();
  await expect(builder.testDrawer.getByRole("alert")).toHaveText(/nested deeper than 100 levels/);

  await builder.add("http", "Note");
  await builder.field("Body").selectOption({ label: "JSON" });
  await builder.field("JSON body").fill(deep);
  await expect(builder.field("JSON body")).toHaveAttribute("aria-invalid", "true");
  await builder.saved();
});

test("names of 10,000 characters are refused or shown as a problem, never cut", async ({
  organization,
  openDraft,
  signedIn,
}) => {
  const admin = organization.as.admin;
  const long = "n".repeat(10_000);
  const draft = await create(admin, "Long names", document("webhook", [step("Note", "log", { message: "a" })]));
  for (const answer of [
    await admin.ask("create_integration", { name: long, document: document("manual", []) }),
    await admin.ask("rename_draft", { id: draft, title: long }),
  ]) {
    expect(answer.status).toBe(422);
    expect(JSON.stringify(answer.body)).toContain("The name is longer than 120 characters. Shorten it.");
  }
  const builder = await openDraft(draft);
  await builder.select("Note");
  await builder.field("Name").fill(long);
  await builder.field("Name").press("Enter");
  await expect(builder.field("Name")).toHaveAccessibleDescription(/The name is longer than 120 characters\./);
  await expect(builder.page.getByRole("button", { name: "Publish", exact: true })).toBeDisabled();
  const title = builder.page.getByRole("textbox", { name: "Title of the draft" });
  await title.fill(long);
  await title.press("Enter");
  await expect(builder.page.getByRole("status").filter({ hasText: "The name is longer than 120" })).toBeVisible();
  await builder.saved();

  const page = await signedIn("collaborator");
  await page.goto("/new");
  await page.getByRole("textbox", { name: "Name" }).fill(long);
  await page.getByRole("radio", { name: /Manual/ }).check();
  await page.getByRole("button", { name: "Create integration" }).click();
  await expect(page.getByText("The name is longer than 120 characters. Shorten it.")).toBeVisible();
  await expect(page.getByRole("textbox", { name: "Name" })).toHaveValue(long);
});

test("two tabs that save at once both keep what was typed", async ({ organization, openDraft }) => {
  const steps = ["One", "Two"].map((name) => step(name, "log", { message: "" }));
  const draft = await create(organization.as.admin, "Two tabs", document("webhook", steps));
  const first = await openDraft(draft);
  const second = new Builder(watched(await first.page.context().newPage()));
  await second.open(draft);
  await first.select("One");
  await second.select("Two");
  const texts = ["typed in the first tab", "typed in the second tab"];
  await Promise.all([
    first.field("Message").pressSequentially(texts[0]!, { delay: 25 }),
    second.field("Message").pressSequentially(texts[1]!, { delay: 25 }),
  ]);
  const messages = async () => {
    const { document } = await organization.as.admin.call("read_draft", { id: draft });
    return steps.map((step) => document.steps[step.id].config.message);
  };
  await expect.poll(messages).toEqual(texts);
  await first.saved();
  await second.saved();
  await first.select("Two");
  await expect(first.field("Message")).toHaveValue(texts[1]!);
  await second.select("One");
  await expect(second.field("Message")).toHaveValue(texts[0]!);
  await first.page.reload();
  await first.select("One");
  await expect(first.field("Message")).toHaveValue(texts[0]!);
});

test.describe("when the server goes away in the middle of typing", () => {
  let server: Server;
  let api: Api;

  test.beforeAll(async () => {
    server = await Server.start();
    api = (await setUp(server)).as.admin;
  });
  test.afterAll(() => server.remove());

  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    test(`nothing typed is lost when it ends by ${signal} and comes back`, async ({ browser }) => {
      const steps = ["One", "Two"].map((name) => step(name, "log", { message: "" }));
      const draft = await create(api, `Gone by ${signal}`, document("webhook", steps));
      const context = await contextOf(browser, api);
      const builder = new Builder(await context.newPage());
      await builder.open(draft);
      await builder.select("One");
      await builder.field("Message").pressSequentially("before, ");
      const [stopped] = await Promise.all([
        server.stop(signal),
        builder.field("Message").pressSequentially("while it goes, ", { delay: 20 }),
      ]);
      expect(stopped).toBeUndefined();
      await builder.field("Message").pressSequentially("after");
      await expect(builder.saveState).toContainText("Not saved: the server cannot be reached. Kept in this browser");
      await builder.add("log", "Two");
      await builder.field("Message").fill("made while it was away");

      await server.start();
      await builder.saved();
      const { document: saved } = await api.call("read_draft", { id: draft });
      expect(saved.steps[steps[0]!.id].config.message).toBe("before, while it goes, after");
      expect(saved.flow).toHaveLength(3);
      await builder.select("Log");
      await expect(builder.field("Message")).toHaveValue("made while it was away");
      await context.close();
    });

    test(`nothing typed is lost when the page is left while it is away by ${signal}`, async ({ browser }) => {
      const draft = await create(api, `Left by ${signal}`, document("webhook", [step("One", "log", { message: "" })]));
      const context = await contextOf(browser, api);
      const builder = new Builder(await context.newPage());
      await builder.open(draft);
      await builder.select("One");
      await builder.field("Message").pressSequentially("kept ");
      await builder.saved();
      await server.stop(signal);
      await builder.field("Message").pressSequentially("in this browser");
      await builder.add("log", "One");
      await builder.field("Message").fill("a new step");
      await expect(builder.saveState).toContainText("Kept in this browser");
      await expect(builder.page.reload()).rejects.toThrow();

      await server.start();
      await builder.open(draft);
      await builder.saved();
      await builder.select("One");
      await expect(builder.field("Message")).toHaveValue("kept in this browser");
      await builder.select("Log");
      await expect(builder.field("Message")).toHaveValue("a new step");
      await expect.poll(async () => (await api.call("read_draft", { id: draft })).document.flow).toHaveLength(2);
      await context.close();
    });
  }
});
