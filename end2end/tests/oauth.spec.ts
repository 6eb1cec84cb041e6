// Connections by OAuth 2, against a real authorization server: someone consents on its own page,
// tokens are exchanged and taken back, and what is not ours is not taken.
import type { Page } from "@playwright/test";

import { Api } from "../fixtures/api.ts";
import { expectAccessible } from "../fixtures/axe.ts";
import { create, document, publish, step } from "../fixtures/document.ts";
import { CLIENT_SECRET, Provider } from "../fixtures/provider.ts";
import { contextOf, emailOf, expect, PASSWORD, test as base } from "../fixtures/test.ts";

const test = base.extend<{ lifetime: number; provider: Provider }>({
  lifetime: [3600, { option: true }],
  provider: async ({ organization, lifetime }, use) => {
    const provider = await Provider.start(`${organization.server.url}/oauth/callback`, lifetime);
    await use(provider);
    await provider.stop();
  },
});

const form = (provider: Provider, name: string, kind = "oauth") => ({
  form: {
    name,
    kind,
    names: ["sluice"],
    origins: [provider.shop],
    live: { set: [CLIENT_SECRET] },
    test: "keep",
    oauth: {
      authorization_url: `${provider.url}/auth`,
      token_url: `${provider.url}/token`,
      scopes: kind === "oauth" ? "openid offline_access orders" : "orders",
      extra: kind === "oauth" ? [["prompt", "consent"]] : [],
    },
  },
});

const line = (page: Page, name: string) => page.getByRole("listitem").filter({ has: page.getByRole("heading", { name }) });

/** Publishes an integration that asks the shop with a connection; returns its id and what runs it. */
async function asking(api: Api, provider: Provider, connection: string, name: string) {
  const call = step("Ask the shop", "http.request", { method: "POST", url: `${provider.shop}/orders`, connection });
  const draft = await create(api, name, document("webhook", [call]));
  const { integration, webhookPath } = await publish(api, draft);
  const run = async (): Promise<{ id: string; state: string; error: string | null }> => {
    const answer = await fetch(`${api.url}${webhookPath}`, { method: "POST", body: "{}", headers: { "content-type": "application/json" } });
    const { run: id } = (await answer.json()) as { run: string };
    let read: any;
    await expect
      .poll(async () => {
        read = await api.call("read_run", { id });
        return read.summary.state;
      })
      .toMatch(/succeeded|failed|in_doubt/);
    const text = JSON.stringify(read);
    for (const { token } of provider.sent) expect(text).not.toContain(token);
    return { id, state: read.summary.state, error: read.summary.error };
  };
  return { integration, run };
}

test("someone consents on the provider's page, runs use the token, and whoever takes it back is asked again", async ({ organization, provider, signedIn }) => {
  const { admin } = organization.as;
  const page = await signedIn("admin");
  await page.goto("/settings/connections");
  await page.getByRole("button", { name: "New connection" }).click();
  const dialog = page.getByRole("dialog", { name: "New connection" });
  await dialog.getByLabel("Name", { exact: true }).fill("The shop by consent");
  await dialog.getByLabel("Kind").selectOption("OAuth 2, someone consents");
  await expect(dialog).toContainText(`${organization.server.url}/oauth/callback`);
  await dialog.getByLabel("Authorization URL").fill("http://login.example.com/auth");
  await dialog.getByLabel("Token URL").fill(`${provider.url}/token`);
  await dialog.getByLabel("Scopes").fill("openid offline_access orders");
  await dialog.getByText("What some providers need").click();
  await dialog.getByLabel("Parameters").fill("prompt=consent");
  await dialog.getByLabel("Client ID", { exact: true }).fill("sluice");
  await dialog.getByLabel("Client secret", { exact: true }).fill(CLIENT_SECRET);
  await dialog.getByLabel("Origins").fill(provider.shop);
  await dialog.getByRole("button", { name: "Keep the connection" }).click();
  await expect(dialog.getByRole("alert")).toContainText("cannot be an address of the provider");
  await expectAccessible(page, "new-oauth-connection");
  await dialog.getByLabel("Authorization URL").fill(`${provider.url}/auth`);
  await dialog.getByLabel("Authorization URL").press("Enter");
  await expect(dialog).toBeHidden();

  const shop = line(page, "The shop by consent");
  await expect(shop).toContainText("Nobody has connected it yet.");
  await expectAccessible(page, "connection-to-connect");
  await shop.getByRole("button", { name: "Connect “The shop by consent”" }).press("Enter");
  await provider.consent(page);
  await expect(page.getByRole("status").filter({ hasText: "is connected" })).toHaveText("“The shop by consent” is connected.");
  expect(new URL(page.url()).search).toBe("");
  await expectAccessible(page, "connected");
  await page.getByRole("link", { name: "Go to the connections" }).click();
  await expect(shop).toContainText("Connected");

  await shop.getByRole("button", { name: "Test connection “The shop by consent”" }).click();
  const trying = page.getByRole("dialog", { name: "Test connection “The shop by consent”" });
  await trying.getByRole("button", { name: "Send" }).click();
  await expect(trying.getByRole("status")).toContainText("The connection works.");
  await trying.getByRole("button", { name: "Close", exact: true }).last().click();

  const all = await admin.call<{ id: string; name: string }[]>("connections");
  const { id } = all.find(({ name }) => name === "The shop by consent")!;
  const { integration, run } = await asking(admin, provider, id, "Asks the shop");
  expect((await run()).state).toBe("succeeded");
  // The token alone ends before its time: the run gets another one, and sends its request again.
  await provider.revoke("token");
  expect((await run()).state).toBe("succeeded");
  expect(provider.sent.slice(-2).map((sent) => sent.status)).toEqual([401, 200]);
  await provider.revoke("token");
  await shop.getByRole("button", { name: "Test connection “The shop by consent”" }).click();
  await trying.getByRole("button", { name: "Send" }).click();
  await expect(trying.getByRole("status")).toContainText("The connection works.");
  await trying.getByRole("button", { name: "Close", exact: true }).last().click();

  await provider.revoke("consent");
  const failed = await run();
  expect(failed.state).toBe("failed");
  const again = "“The shop by consent” has to be connected again";
  expect(failed.error).toContain(again);
  await expect(shop).toContainText("It has to be connected again.");
  await page.goto(`/runs/${failed.id}`);
  await expect(page.getByRole("main")).toContainText(again);
  const html = await page.content();
  for (const { token } of provider.sent) expect(html).not.toContain(token);
  await page.goto(`/integrations/${integration}`);
  const notice = page.getByText("“The shop by consent” has to be connected before");
  await expect(notice).toBeVisible();
  await expectAccessible(page, "integration-to-connect");
  const collaborator = await signedIn("collaborator");
  await collaborator.goto("/settings/connections");
  await expect(line(collaborator, "The shop by consent")).toContainText("It has to be connected again.");
  await expect(collaborator.getByRole("button", { name: /Connect/ })).toHaveCount(0);

  await notice.getByRole("link", { name: "Go to the connections" }).click();
  await shop.getByRole("button", { name: "Connect again “The shop by consent”" }).click();
  await provider.consent(page);
  await expect(page.getByText("“The shop by consent” is connected.")).toBeVisible();
  expect((await run()).state).toBe("succeeded");
  await page.goto(`/integrations/${integration}`);
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Asks the shop");
  await expect(page.getByText("Newest runs")).toBeVisible();
  await expect(notice).toBeHidden();
  expect(provider.refused).toEqual([expect.stringContaining("invalid_grant")]);
});

test("an answer that is replayed, of another session, or without its hash gives nothing, and is told in plain text", async ({ organization, provider, signedIn }) => {
  const { admin } = organization.as;
  const id = await admin.call<string>("create_connection", form(provider, "The other shop"));
  const page = await signedIn("admin");
  // What the provider sends back is stopped before it is used.
  const stopped = async (address: string): Promise<string> => {
    await page.route("**/api/finish_consent", (route) => route.abort());
    const came = page.waitForRequest((request) => request.url().includes("/oauth/callback?"));
    await page.goto(address);
    await provider.consent(page);
    await expect(page.getByRole("alert")).toContainText("The server cannot be reached.");
    await page.unroute("**/api/finish_consent");
    return (await came).url();
  };
  const ask = () => admin.call<string>("connect_connection", { id, is_test: false });
  const told = page.getByRole("alert");

  const answer = await stopped(await ask());
  // A second session of the very same person.
  const again = new Api(admin.url);
  await again.call("sign_in", { email: emailOf("admin"), password: PASSWORD });
  const second = await contextOf(page.context().browser()!, again);
  const elsewhere = await second.newPage();
  await elsewhere.goto(answer);
  await expect(elsewhere.getByRole("alert")).toContainText("was asked for in another session");
  await second.close();

  await page.goto(answer);
  await expect(page.getByText("“The other shop” is connected.")).toBeVisible();
  await page.goto(answer);
  await expect(told).toContainText("was used before");
  expect(provider.given).toEqual(["authorization_code"]);

  const address = new URL(await ask());
  expect(address.searchParams.get("code_challenge_method")).toBe("S256");
  address.searchParams.delete("code_challenge");
  address.searchParams.delete("code_challenge_method");
  await page.goto(await stopped(address.href));
  await expect(told).toContainText("The provider did not connect “The other shop”");
  expect(provider.refused.at(-1)).toMatch(/^invalid_grant: .*code_challenge/);

  const issued = new URL(await stopped(await ask()));
  expect(issued.searchParams.get("iss")).toBe(provider.url);
  issued.searchParams.set("iss", "https://login.evil.example");
  await page.goto(issued.href);
  await expect(told).toContainText("comes from another provider");

  const denied = new URL("/oauth/callback", admin.url);
  denied.searchParams.set("state", new URL(await ask()).searchParams.get("state")!);
  denied.searchParams.set("error", "access_denied");
  denied.searchParams.set("error_description", "<img src=x onerror=alert(1)><b>No.</b>");
  page.on("dialog", () => expect(false, "nothing of it runs").toBe(true));
  await page.goto(denied.href);
  await expect(told).toContainText("<img src=x onerror=alert(1)><b>No.</b> (access_denied)");
  await expect(told.locator("img, b")).toHaveCount(0);
  await expectAccessible(page, "not-connected");
  // And the one who had connected before still is.
  expect(provider.given).toEqual(["authorization_code"]);
});

test.describe("with tokens that live for twelve seconds", () => {
  test.use({ lifetime: 12 });

  test("runs go on over several tokens without a failed one, though clocks differ, and none is exchanged twice", async ({ organization, provider, signedIn }) => {
    const { admin } = organization.as;
    provider.skew = 2;
    const id = await admin.call<string>("create_connection", form(provider, "The quick shop"));
    const page = await signedIn("admin");
    await page.goto(await admin.call<string>("connect_connection", { id, is_test: false }));
    await provider.consent(page);
    await expect(page.getByText("“The quick shop” is connected.")).toBeVisible();
    const alone = await admin.call<string>("create_connection", form(provider, "The shop's client", "oauth_client"));
    const consented = await asking(admin, provider, id, "Asks with a consent");
    const client = await asking(admin, provider, alone, "Asks as a client");
    const count = (grant: string) => provider.given.filter((given) => given === grant).length;
    while (count("refresh_token") < 2 || count("client_credentials") < 3) {
      const runs = [consented, consented, consented, client, client, client].map(({ run }) => run());
      for (const { state, error } of await Promise.all(runs)) expect([state, error]).toEqual(["succeeded", null]);
    }
    expect(provider.refused).toEqual([]);
  });
});
