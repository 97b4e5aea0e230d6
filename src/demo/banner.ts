/** What the banner tells. */
export interface BannerFacts {
  /** Where the service listens. */
  url: string;
  adminKeyFile: string;
  apiKey: string;
  keyFile: string;
  webhookUrl: string;
  /** The merchant's own clock, which may have been moved on by an earlier run of the demo. */
  clientNow: Date;
  /** Tells the debts of one start from those of another. */
  run: string;
}

const DAY_MS = 24 * 60 * 60 * 1_000;
/** The schedule's third day, moved on to a payday at most four days later, has passed by then. */
const FIRST_RETRY_DAYS = 10;
/** Every slot of the standard schedule has passed by then, whatever the payday, and the half hour of the hold. */
const ALL_RETRIES_DAYS = 40;

/** What the demo adds to what the service says at its start: whose keys there are, and what to try. */
export function bannerText(facts: BannerFacts): string {
  return [
    `  admin key      in ${facts.adminKeyFile}`,
    `  demo merchant  ${facts.apiKey}  (also in ${facts.keyFile})`,
    `  its webhooks   go to ${facts.webhookUrl}, are verified and then printed here`,
    '',
    'Paste these into a second terminal, one after the other:',
    '',
    `API=${facts.url} KEY=${facts.apiKey}`,
    '',
    ...scenes(facts).flatMap(({ told, curls }) => [`# ${told}`, ...curls, '']),
  ].join('\n');
}

interface Scene {
  told: string;
  curls: string[];
}

function scenes({ clientNow, run }: BannerFacts): Scene[] {
  const reference = (number: number) => `order-${run}-${number}`;
  const clock = (days: number) => curl('sandbox/clock', { advanceTo: new Date(clientNow.getTime() + days * DAY_MS) });
  const execute = (number: number, body: object) =>
    curl('recovery/execute', { ...body, reference: reference(number), idempotencyKey: reference(number) });
  return [
    {
      told: '1. A card that works: 200, collected at once.',
      curls: [execute(1, { paymentMethodToken: 'pm_card_visa', amount: 2500, currency: 'USD' })],
    },
    {
      told: '2. No funds today: 202, retried on a payday. Move the clock there and it is collected.',
      curls: [
        execute(2, {
          paymentMethodToken: 'pm_card_visa',
          amount: 4900,
          currency: 'USD',
          originalDeclineCode: 'insufficient_funds',
        }),
        clock(FIRST_RETRY_DAYS),
      ],
    },
    {
      told: '3. A card that never works: 202, four charges in all, then recovery.failed asks for a new card.',
      curls: [
        execute(3, { paymentMethodToken: 'pm_test_do_not_honor', amount: 1500, currency: 'USD' }),
        clock(ALL_RETRIES_DAYS),
      ],
    },
    {
      told: '4. A stolen card: 403, nothing is charged.',
      curls: [
        execute(4, {
          paymentMethodToken: 'pm_card_visa',
          amount: 3000,
          currency: 'USD',
          originalDeclineCode: 'stolen_card',
        }),
      ],
    },
  ];
}

/** One command for a POSIX shell; no value in it has a quote. */
function curl(path: string, body: object): string {
  return [
    `curl -sw '\\n%{http_code}\\n' $API/api/${path} -H "X-API-KEY: $KEY" -H 'Content-Type: application/json' \\`,
    `  -d '${JSON.stringify(body)}'`,
  ].join('\n');
}
