// An integration that fails says so on its pages, and in one letter to whoever should know.
import { expectAccessible } from "../fixtures/axe.ts";
import { create, document, publish, step } from "../fixtures/document.ts";
import { PostOffice } from "../fixtures/post_office.ts";
import { Server } from "../fixtures/server.ts";
import { contextOf, expect, setUp, test, watched } from "../fixtures/test.ts";

/** Fails when the caller sends no total. */
const keepsTotal = () => document("webhook", [step("Keep total", "set", { values: { total: "{{ trigger.body.total }}" } })]);

test("who published hears once that an integration fails, sees since when, and hears once that it works again", async ({
  browser,
}) => {
  const office = await PostOffice.open();
  const server = await Server.start("http://sluice.example", [], {
    SLUICE_SMTP_URL: `smtp://${office.address}`,
    SLUICE_MAIL_FROM: "Sluice <sluice@example.com>",
  });
  try {
    const { as } = await setUp(server);
    await as.admin.call("set_policy", { integration: null, policy: { approvals: 0 } });
    const draft = await create(as.collaborator, "Orders with a total", keepsTotal());
    const { integration, webhookPath } = await publish(as.collaborator, draft);
    const call = async (body: object) => {
      const headers = { "content-type": "application/json" };
      const answer = await fetch(`${server.url}${webhookPath}`, { method: "POST", headers, body: JSON.stringify(body) });
      expect(answer.status).toBe(202);
      const { run } = await answer.json();
      await expect
        .poll(async () => (await as.admin.call("read_run", { id: run })).summary.state)
        .toMatch(/succeeded|failed/);
      return run as string;
    };
    const context = await contextOf(browser, as.collaborator);
    const page = watched(await context.newPage());
    await page.goto("/");
    const line = page.getByRole("row", { name: /Orders with a total/ });
    await expect(line).toContainText("Live, version 1");

    const run = await call({ note: "not for letters" });
    await call({});
    await expect(line).toContainText("Failing since");
    await expectAccessible(page, "organization-failing");
    for (const to of ["collaborator@example.com", "admin@example.com"]) {
      await expect.poll(() => office.letters(to).length, { timeout: 30_000 }).toBe(1);
      const letter = office.letters(to)[0]!;
      expect(letter).toContain("Step: Keep total");
      expect(letter).toContain(`http://sluice.example/runs/${run}`);
      expect(letter).not.toContain("not for letters");
    }
    await line.getByRole("link", { name: "Orders with a total" }).click();
    await expect(page.getByRole("main")).toContainText(/Failing since .*, when this run ended/);
    await expectAccessible(page, "integration-failing");
    await page.getByRole("link", { name: "this run" }).click();
    await expect(page).toHaveURL(new RegExp(`/runs/${run}$`));

    // The Admin does not want to know; set by keyboard from the account's menu.
    const theirs = await contextOf(browser, as.admin);
    const admin = watched(await theirs.newPage());
    await admin.goto("/");
    await admin.getByRole("button", { name: "Account of Test Admin" }).focus();
    await admin.keyboard.press("Enter");
    await admin.getByRole("menuitem", { name: "Alerts by e-mail" }).click();
    const wants = admin.getByRole("switch", { name: "E-mail me when integrations fail" });
    await expect(wants).toBeChecked();
    await expectAccessible(admin, "alerts");
    await wants.focus();
    await admin.keyboard.press("Space");
    await expect(wants).not.toBeChecked();

    await call({ total: 12 });
    await page.goto(`/integrations/${integration}`);
    await expect(page.getByRole("main")).toContainText("Live, version 1");
    await expect(page.getByRole("main")).not.toContainText("Failing since");
    await expect.poll(() => office.letters("collaborator@example.com").length, { timeout: 30_000 }).toBe(2);
    expect(office.letters("collaborator@example.com")[1]).toContain("works again");
    expect(office.letters("admin@example.com")).toHaveLength(1);
    expect(office.letters("reader@example.com")).toEqual([]);
    await context.close();
    await theirs.close();
  } finally {
    await server.remove();
    await office.close();
  }
});
