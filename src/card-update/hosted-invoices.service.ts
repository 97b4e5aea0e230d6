import { Injectable } from '@nestjs/common';

import type { Caller } from '../clients/caller.js';
import { ClientDirectory } from '../clients/client-directory.service.js';
import { invoiceOf } from '../engine/recovery.js';
import { RecoveryStore } from '../engine/recovery-store.js';
import { GatewayRegistry } from '../gateways/registry.js';
import { conflict, notFound } from '../platform/http/domain-error.js';

const CALL_MS = 10_000;

/** The gateway's own page of an invoice, read at the moment it is asked for. */
export interface HostedInvoice {
  transactionId: string;
  invoiceId: string;
  url: string;
}

/** The page on which a customer authenticates and pays an invoice. Told on request only, and in no webhook. */
@Injectable()
export class HostedInvoices {
  constructor(
    private readonly recoveries: RecoveryStore,
    private readonly directory: ClientDirectory,
    private readonly gateways: GatewayRegistry,
  ) {}

  /** @throws {DomainError} 404, 409 `no_hosted_invoice` or `gateway_unreadable`. */
  async read({ clientId }: Caller, transactionId: string): Promise<HostedInvoice> {
    const found = await this.recoveries.find(clientId, transactionId);
    if (!found) throw notFound('no recovery has this transactionId');
    const invoiceId = invoiceOf(found.recovery);
    if (invoiceId === null) throw conflict('no_hosted_invoice', 'the debt of this recovery is no invoice');
    const account = await this.directory.gatewayAccount(clientId);
    const reading = await this.gateways
      .cardSetupsFor(account)
      .readInvoicePage(account, invoiceId, { timeoutMs: CALL_MS });
    if (reading.kind === 'not_found' || (reading.kind === 'found' && reading.value === null)) {
      throw conflict('no_hosted_invoice', 'the gateway has no page for this invoice');
    }
    if (reading.kind !== 'found' || reading.value === null) {
      throw conflict('gateway_unreadable', 'the gateway can not be read now; try again');
    }
    return { transactionId, invoiceId, url: reading.value };
  }
}
