import { Injectable } from '@nestjs/common';

import type { ClientSettings } from '../clients/client-settings.js';
import { PublicUrl } from '../platform/public-url.js';

/** Where customers find a link: at the client's own domain, where it has one that leads here, else at this server's. */
@Injectable()
export class LinkAddress {
  constructor(private readonly publicUrl: PublicUrl) {}

  of({ cardUpdateDomain }: Pick<ClientSettings, 'cardUpdateDomain'>, token: string): string {
    const base = cardUpdateDomain === null ? this.publicUrl.current() : `https://${cardUpdateDomain}`;
    return `${base}/update-card/${token}`;
  }
}
