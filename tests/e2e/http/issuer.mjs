// An identity provider for `sign_in.py`: npm's oidc-provider with its own pages for signing in and agreeing.
//
//     node issuer.mjs PACKAGES PORT RESOURCE
//
// Whoever signs in as NAME is a member of the group NAME. Tokens are for RESOURCE, or for the other one below.

import { readFileSync, writeFileSync, existsSync } from 'node:fs'
import { generateKeyPairSync } from 'node:crypto'
import { pathToFileURL } from 'node:url'

const [packages, port, resource] = process.argv.slice(2)
const { Provider } = await import(pathToFileURL(`${packages}/node_modules/oidc-provider/lib/index.js`))

// The same key after a restart.
if (!existsSync('key.json')) {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  writeFileSync('key.json', JSON.stringify({ ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256', kid: 'one' }))
}

const provider = new Provider(`http://127.0.0.1:${port}`, {
  jwks: { keys: [JSON.parse(readFileSync('key.json'))] },
  cookies: { keys: ['only on loopback'] },
  scopes: ['openid', 'offline_access', 'linq:read', 'linq:send'],
  pkce: { required: () => true },
  ttl: { AccessToken: 300, Session: 300, Grant: 300, Interaction: 300, IdToken: 300, RefreshToken: 300 },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  // Clients register with the scopes that they know of at first, and may ask for more later.
  extraClientMetadata: {
    properties: ['any_scope'],
    validator: (_, key, value, metadata) => { delete metadata.scope },
  },
  extraTokenClaims: (_, token) => ({ groups: ['staff', token.accountId] }),
  features: {
    devInteractions: { enabled: true },
    registration: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => resource,
      useGrantedResource: () => true,
      getResourceServerInfo: (_, asked) => ({
        scope: 'linq:read linq:send',
        audience: asked,
        accessTokenFormat: 'jwt',
        accessTokenTTL: 300,
        jwt: { sign: { alg: 'RS256' } },
      }),
    },
  },
})

provider.listen(Number(port), '127.0.0.1')
