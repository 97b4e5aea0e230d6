import { html, type Html } from '../../platform/http/html.js';
import type { Page } from '../../platform/http/plain-page.js';
import type { ConnectResult } from './connect.service.js';

const LOOK = { color: '#2450b8', onColor: '#ffffff' };

/** Asks once more whose account is connected to what: whoever was sent here by somebody else must see it. */
export function confirmPage(client: { clientId: string; clientName: string }, state: string, code: string): Page {
  return page(
    200,
    'Connect your Stripe account?',
    html`<p>Failed payments of your Stripe account will be collected for <strong>${client.clientName}</strong>.</p>
      <p class="soft">${client.clientId}. Go on only if you have started this yourself.</p>
      <form method="post">
        <input type="hidden" name="state" value="${state}" /><input type="hidden" name="code" value="${code}" /><button
          type="submit"
        >
          Connect
        </button>
      </form>`,
  );
}

export function resultPage(result: ConnectResult): Page {
  switch (result.kind) {
    case 'connected':
      return page(
        200,
        'Your Stripe account is connected',
        html`<p>${result.accountId} now belongs to <strong>${result.clientName}</strong>. You can close this page.</p>`,
      );
    case 'stale':
      return stalePage();
    case 'unavailable':
      return page(503, 'Stripe does not answer', html`<p>Nothing was connected. Begin anew in a minute.</p>`);
    case 'refused':
      return page(409, 'Nothing was connected', html`<p>${REASONS[result.reason]}</p>`);
  }
}

export function stalePage(): Page {
  return page(404, 'This can not go on', html`<p>It was used, is too old, or was never begun. Begin anew.</p>`);
}

/** The merchant has said no at Stripe, or Stripe has. */
export function declinedPage(): Page {
  return page(200, 'Nothing was connected', html`<p>The access was not granted. You can close this page.</p>`);
}

const REASONS: Readonly<Record<Extract<ConnectResult, { kind: 'refused' }>['reason'], string>> = {
  code: 'Stripe does not take this permission any more. Begin anew.',
  other_account: 'This client belongs to another Stripe account. An account of its own needs a client of its own.',
  taken: 'This Stripe account is connected to another client already. Disconnect it there first.',
  other_mode: 'This permission is for the other mode (live or test) than the client’s.',
  unregistered: 'Stripe did not let us register where its events go. Ask whoever runs this server.',
};

function page(status: number, title: string, content: Html): Page {
  return {
    ...LOOK,
    status,
    title,
    content: html`<h1>${title}</h1>
      ${content}`,
  };
}
