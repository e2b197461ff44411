// An authorization server by other people (panva's oidc-provider) for the tests to talk to, on loopback.
// Usage: node op.mjs <settings.json. It says one JSON line on standard output once it listens.
// A person's sign-in and consent are played: every interaction is finished at once, as the query of /play says.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';
import { webcrypto } from 'node:crypto';

// What the server expects of newer Nodes, for the Node 18 that Debian 12 has.
globalThis.crypto ??= webcrypto;
URL.parse ??= (text, base) => (URL.canParse(text, base) ? new URL(text, base) : null);

const { Provider } = await import('oidc-provider');

const server = createServer();
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const issuer = `http://127.0.0.1:${server.address().port}`;
const settings = JSON.parse(readFileSync(0, 'utf8')); // { redirectUris, publicKey, odd }
const played = { declines: [], refuses: false, accessSeconds: 3600 };

const common = {
  redirect_uris: settings.redirectUris,
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
};
const secret = 's3cret';
const clients = [
  { client_id: 'basic', client_secret: secret, token_endpoint_auth_method: 'client_secret_basic' },
  { client_id: settings.odd.id, client_secret: settings.odd.secret, token_endpoint_auth_method: 'client_secret_basic' },
  { client_id: 'post', client_secret: secret, token_endpoint_auth_method: 'client_secret_post' },
  { client_id: 'public', token_endpoint_auth_method: 'none', application_type: 'native' },
  {
    client_id: 'signer',
    token_endpoint_auth_method: 'private_key_jwt',
    token_endpoint_auth_signing_alg: 'ES256',
    jwks: { keys: [settings.publicKey] },
  },
  { client_id: 'pushing', client_secret: secret, require_pushed_authorization_requests: true },
  { client_id: 'bound', client_secret: secret, dpop_bound_access_tokens: true },
].map((client) => ({ ...common, ...client }));

const provider = new Provider(issuer, {
  clients,
  scopes: ['openid', 'offline_access', 'ads.read', 'ads.write'],
  pkce: { required: () => true },
  rotateRefreshToken: true,
  ttl: {
    AccessToken: () => played.accessSeconds,
    AuthorizationCode: 60,
    RefreshToken: 86400,
    Grant: 86400,
    Session: 86400,
    Interaction: 600,
  },
  issueRefreshToken: async (ctx, client) => client.grantTypeAllowed('refresh_token'),
  cookies: { keys: ['for tests only'] },
  interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
  findAccount: async (ctx, id) => ({ accountId: id, claims: async () => ({ sub: id }) }),
  features: {
    devInteractions: { enabled: false },
    registration: { enabled: true },
    revocation: { enabled: true },
    introspection: { enabled: true, allowedPolicy: async () => true },
    pushedAuthorizationRequests: { enabled: true },
    dPoP: { enabled: true },
    deviceFlow: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => undefined,
      useGrantedResource: () => true,
      getResourceServerInfo: (ctx, resource) => ({
        scope: 'ads.read ads.write',
        audience: resource,
        accessTokenFormat: 'opaque',
        accessTokenTTL: 3600,
      }),
    },
  },
});

const serve = provider.callback();

async function playPerson(request, response) {
  const details = await provider.interactionDetails(request, response);
  if (played.refuses) {
    return provider.interactionFinished(request, response, { error: 'access_denied' });
  }
  if (details.prompt.name === 'login') {
    return provider.interactionFinished(request, response, { login: { accountId: 'person-1' } });
  }
  const grant = details.grantId
    ? await provider.Grant.find(details.grantId)
    : new provider.Grant({ accountId: details.session.accountId, clientId: details.params.client_id });
  const asked = details.prompt.details;
  const agreed = (names) => [...names].filter((name) => !played.declines.includes(name)).join(' ');
  if (asked.missingOIDCScope) grant.addOIDCScope(agreed(asked.missingOIDCScope));
  for (const [resource, names] of Object.entries(asked.missingResourceScopes ?? {})) {
    grant.addResourceScope(resource, agreed(names));
  }
  if (played.declines.length > 0) grant.rejectOIDCScope(played.declines.join(' '));
  const grantId = await grant.save();
  return provider.interactionFinished(request, response, { consent: { grantId } }, { mergeWithLastSubmission: true });
}

server.on('request', async (request, response) => {
  const url = new URL(request.url, issuer);
  try {
    if (url.pathname === '/play') {
      played.declines = url.searchParams.getAll('decline');
      played.refuses = url.searchParams.has('refuse');
      played.accessSeconds = Number(url.searchParams.get('seconds') ?? 3600);
      response.end('{}');
      return;
    }
    await (url.pathname.startsWith('/interaction/') ? playPerson(request, response) : serve(request, response));
  } catch (error) {
    console.error(error);
    response.statusCode = 500;
    response.end('the played person stumbled');
  }
});

console.log(JSON.stringify({ issuer }));
