import { describe, expect, it } from '@jest/globals';

import { SealBroken, Vault } from '../platform/crypto/vault.js';
import { SystemRandom } from '../platform/random.js';
import { EndpointVault, type SealedEndpoint } from './endpoint-secrets.js';

const random = new SystemRandom();
const vault = () => new EndpointVault(new Vault(Buffer.alloc(32, 1), [], random));

function endpointOf(sealing: EndpointVault, clientId: string, id: string, secret: string): SealedEndpoint {
  return {
    clientId,
    id,
    url: 'https://example.com/hook',
    secretSealed: sealing.sealSecret(clientId, id, secret),
    previousSecretSealed: null,
    previousSecretUntil: null,
    headersSealed: sealing.sealHeaders(clientId, id, { 'X-Key': 'sesame' }),
  };
}

describe('EndpointVault', () => {
  it('opens what it has sealed, also in another process', () => {
    const endpoint = endpointOf(vault(), 'cli_1', 'we_1', 'whsec_a');
    expect(vault().open(endpoint)).toEqual({
      secrets: { current: 'whsec_a', previous: null },
      headers: { 'X-Key': 'sesame' },
    });
    expect(endpoint.secretSealed.toString('latin1')).not.toContain('whsec_a');
  });

  it('follows a change of the row, though it remembers what it opened', () => {
    const sealing = vault();
    const endpoint = endpointOf(sealing, 'cli_1', 'we_1', 'whsec_a');
    sealing.open(endpoint);
    const until = new Date('2026-11-22T00:00:00Z');
    const rotated = {
      ...endpoint,
      secretSealed: sealing.sealSecret('cli_1', 'we_1', 'whsec_b'),
      previousSecretSealed: sealing.resealAsPrevious(endpoint),
      previousSecretUntil: until,
      headersSealed: null,
    };
    expect(sealing.open(rotated)).toEqual({
      secrets: { current: 'whsec_b', previous: { secret: 'whsec_a', until } },
      headers: {},
    });
  });

  it.each([
    ['another client', { clientId: 'cli_2' }],
    ['another endpoint', { id: 'we_2' }],
  ])('does not open a row that was moved to %s', (_where, moved) => {
    const sealing = vault();
    const endpoint = endpointOf(sealing, 'cli_1', 'we_1', 'whsec_a');
    sealing.open(endpoint);
    expect(() => sealing.open({ ...endpoint, ...moved })).toThrow(SealBroken);
  });

  it('does not take a current secret for a previous one', () => {
    const sealing = vault();
    const endpoint = endpointOf(sealing, 'cli_1', 'we_1', 'whsec_a');
    const swapped = { ...endpoint, previousSecretSealed: endpoint.secretSealed, previousSecretUntil: new Date(0) };
    expect(() => sealing.open(swapped)).toThrow(SealBroken);
  });
});
