import { Vault } from '../../src/platform/crypto/vault.js';
import { Random } from '../../src/platform/random.js';
import { BugLog } from './ports.js';
import type { Thread } from './world.js';

/** Lends itself to one world after the other, so that they share a vault and its derived keys. */
class LentRandom extends Random {
  from: Random | null = null;

  override bytes(count: number): Buffer {
    return this.owner().bytes(count);
  }

  override fraction(): number {
    return this.owner().fraction();
  }

  private owner(): Random {
    if (!this.from) throw new Error('no world draws from this yet');
    return this.from;
  }
}

/** What costs more than a world is made once. */
export function makeThread(): Thread {
  const random = new LentRandom();
  const vault = new Vault(Buffer.alloc(32, 7), [], random);
  return {
    log: new BugLog(),
    vault: (from) => {
      random.from = from;
      return vault;
    },
  };
}
