// An OpenID provider that others wrote (oidc-provider), with the accounts of a small plant.
//
// node oidc-provider.mjs PORT REDIRECT: its pages ask for a name, and take any password.

const PEOPLE = {
  kim: { name: "김반장", groups: ["shift-leaders", "staff"] },
  lee: { name: "Lee", groups: ["automation", "shift-leaders"] },
  guest: { name: "Guest", groups: [] },
};

const { Provider } = await import("oidc-provider");
const { generateKeyPairSync } = await import("node:crypto");

const [port, redirect] = process.argv.slice(2);
const pair = generateKeyPairSync("rsa", { modulusLength: 2048 });
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{ client_id: "deungdae", client_secret: "a secret: with/signs", redirect_uris: [redirect] }],
  jwks: { keys: [{ ...pair.privateKey.export({ format: "jwk" }), use: "sig", kid: "of-today" }] },
  cookies: { keys: ["signs its own cookies"] },
  pkce: { required: () => true },
  scopes: ["openid", "profile"],
  claims: { openid: ["sub"], profile: ["name", "groups"] },
  findAccount: (_, id) => PEOPLE[id] && { accountId: id, claims: () => ({ sub: id, ...PEOPLE[id] }) },
});
provider.listen(Number(port), "127.0.0.1");
