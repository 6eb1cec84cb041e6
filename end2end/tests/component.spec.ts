// A connector with logic from its files to a review: imported with its module, used in a step, run
// against a service of another company, and told in the review, once its logic is another.
import { readFile } from "node:fs/promises";
import { expectAccessible } from "../fixtures/axe.ts";
import { create, document, publish, step } from "../fixtures/document.ts";
import { expect, test } from "../fixtures/test.ts";

/** Asks for the address in its field `url`, and gives the answer. */
const MODULE = new URL("../fixtures/component.wasm", import.meta.url);

/** A connector whose component may reach these origins. */
function file(hosts: string[], version: string): Buffer {
  const text = JSON.stringify({
    form: 1,
    key: "weather",
    title: "Weather desk",
    description: "Asks for the weather.",
    version,
    base: "https://weather.example.com",
    component: { hosts },
    actions: [
      {
        key: "ask",
        title: "Ask for the weather",
        description: "Asks, and judges the answer.",
        run: "do",
        effect: "read",
        input: { type: "object", required: ["url"], properties: { url: { type: "string", title: "Station" } } },
        output: { type: "object", properties: { sky: { type: "string" } } },
      },
    ],
  });
  return Buffer.from(text);
}

test("a connector with logic is imported with its module, used, tested and told in a review", async ({
  organization,
  openDraft,
  signedIn,
  target,
}) => {
  const { admin } = organization.as;
  const origin = target.url("");
  target.answer("/station", 200, { sky: "clear" });
  const module = { name: "weather.wasm", mimeType: "application/wasm", buffer: await readFile(MODULE) };
  const connector = (hosts: string[], version: string) => ({
    name: "weather.json",
    mimeType: "application/json",
    buffer: file(hosts, version),
  });

  const page = await signedIn("admin");
  await page.goto("/settings/connectors");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Connectors");
  const begin = async (files: (typeof module)[]) => {
    await page.getByRole("button", { name: "Import a connector" }).click();
    const dialog = page.getByRole("dialog", { name: "Import a connector" });
    await dialog.getByLabel("A file or text").check();
    await dialog.getByLabel("File optional").setInputFiles(files);
    await expect(dialog.getByLabel("Text", { exact: true })).toHaveValue(/Weather desk/);
    return dialog;
  };

  await test.step("an Admin is told that the module is missing, and sees what the logic reaches", async () => {
    const dialog = await begin([connector([origin], "1.0")]);
    await dialog.getByRole("button", { name: "Show what it brings" }).click();
    await expect(dialog.getByRole("alert")).toContainText("Give its module");
    await dialog.getByLabel("File optional").setInputFiles([connector([origin], "1.0"), module]);
    await expect(dialog.getByText("With the module weather.wasm.")).toBeVisible();
    await dialog.getByRole("button", { name: "Show what it brings" }).click();
    await expect(dialog.getByRole("region", { name: "Component" })).toContainText("SHA-256");
    await expect(dialog.getByRole("list", { name: "Hosts" })).toContainText(origin);
    await expectAccessible(page, "component-preview");
    await dialog.getByRole("button", { name: "Import", exact: true }).click();
    await expect(dialog).toBeHidden();
  });

  await test.step("its page says the same", async () => {
    await page.getByRole("link", { name: "Weather desk" }).click();
    await expect(page.getByRole("heading", { level: 1 })).toHaveText("Weather desk");
    await expect(page.getByRole("list", { name: "Hosts" })).toContainText(origin);
    await expect(page.getByRole("list", { name: "Actions" })).toContainText("component: do");
    await expectAccessible(page, "component-page");
  });

  const draft = await create(admin, "Weather", document("webhook", []));
  const builder = await openDraft(draft);
  await test.step("a Collaborator builds a step with it", async () => {
    await builder.addAction("Ask for the weather");
    await builder.select("Ask for the weather");
    await builder.field("Station").fill(target.url("/station"));
    await expect(builder.page.getByText(/do by component [0-9a-f]{12}/).first()).toBeVisible();
    await builder.saved();
    await expectAccessible(builder.page, "step-with-component");
  });

  await test.step("a step whose module is not here has a problem, and is not published", async () => {
    const [declared] = await admin.call<any[]>("declarations", { wanted: [["weather", "ask"]] });
    declared.component.sha256 = "f".repeat(64);
    const ask = { ...step("Ask", "connector", { url: "https://a.example.com" }), action: declared };
    const foreign = await create(admin, "From elsewhere", document("webhook", [ask]));
    const other = await openDraft(foreign);
    await other.page.getByRole("button", { name: "1 problem", exact: true }).click();
    const problems = other.page.getByRole("dialog", { name: "Problems" });
    await expect(problems).toContainText("The component that runs this step is not there.");
    await expectAccessible(other.page, "problem-of-component");
    await problems.getByRole("button", { name: /The component/ }).click();
    await expect(other.panel).toContainText("Ask an Admin to import its connector together with the module.");
  });

  let integration = "";
  await test.step("a run shows what the component asked for, request by request", async () => {
    const published = await publish(admin, draft);
    integration = published.integration;
    const headers = { "content-type": "application/json" };
    const answer = await fetch(`${admin.url}${published.webhookPath}`, { method: "POST", body: "{}", headers });
    const { run } = await answer.json();
    await expect.poll(() => target.at("/station").length).toBe(1);
    await page.goto(`/runs/${run}`);
    await expect(page.getByRole("main")).toContainText("Succeeded");
    const requests = page.getByRole("list", { name: "Requests of the component" });
    await expect(requests).toContainText(`GET ${origin}/station`);
    await requests.getByRole("button", { name: /Request 1/ }).click();
    await expect(requests).toContainText("clear");
    await expectAccessible(page, "run-with-component");
  });

  await test.step("the review of another component tells its hash and what it reaches", async () => {
    await page.goto("/settings/connectors");
    const dialog = await begin([connector(["https://elsewhere.example.com"], "2.0"), module]);
    await dialog.getByRole("button", { name: "Show what it brings" }).click();
    await expect(dialog.getByRole("list", { name: "The connector itself" })).toContainText(
      "Its logic may reach https://elsewhere.example.com now.",
    );
    await dialog.getByRole("button", { name: "Import", exact: true }).click();
    await expect(dialog).toBeHidden();
    const next = await admin.call<string>("start_draft", { integration, title: "Elsewhere" });
    const second = await openDraft(next);
    await second.select("Ask for the weather");
    await second.page.getByRole("button", { name: "Update the step" }).click();
    await expect(second.page.getByRole("button", { name: "Update the step" })).toBeHidden();
    await second.saved();
    const fields = { draft: next, title: "Elsewhere", description: "", reviewers: [] };
    const review = await admin.call<string>("create_review", fields);
    await page.goto(`/reviews/${review}`);
    await expect(page.getByRole("main")).toContainText("https://elsewhere.example.com");
    await expect(page.getByRole("main")).toContainText(
      "“Ask for the weather” may send requests to elsewhere.example.com (not called before) instead of",
    );
    await expectAccessible(page, "review-of-component");
  });
});
