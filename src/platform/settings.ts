/** One setting as people see it: in `--help` and in the line that refuses a bad value. */
export interface Setting {
  /** What is accepted, in words that complete "accepted: …". */
  accepted: string;
  /** What holds when it is unset. */
  fallback: string;
  meaning: string;
}

const ON_OFF = 'on, off';
const UNLESS_PRODUCTION = 'on, unless NODE_ENV=production';
const KEY_ACCEPTED = 'base64 of 32 bytes, as of: openssl rand -base64 32';
const EMAIL_ALERTS = 'for alerts by e-mail';
const SMS_ALERTS = 'for alerts by SMS';

/** Every setting, in the order `--help` prints them. The first ones are part of the published contract. */
export const SETTINGS = {
  DATABASE_URL: {
    accepted: 'postgres://user:password@host:port/database',
    fallback: 'an embedded PostgreSQL 18',
    meaning: 'PostgreSQL 15 or newer',
  },
  PORT: { accepted: 'a whole number from 0 (any free port) to 65535', fallback: '3000', meaning: 'port to listen on' },
  HOST: { accepted: 'an IP address or a host name', fallback: '127.0.0.1', meaning: 'address to listen on' },
  REVTAIN_PUBLIC_URL: {
    accepted: 'an http or https address without credentials, query or fragment',
    fallback: 'http://HOST:PORT',
    meaning: 'where people reach this server',
  },
  REVTAIN_ROLE: {
    accepted: 'all, api, worker (the last two with DATABASE_URL only: the embedded database serves one process)',
    fallback: 'all',
    meaning: 'what this process does',
  },
  REVTAIN_ADMIN_KEY: {
    accepted: 'printable ASCII without spaces; 16 characters or more where NODE_ENV=production',
    fallback: 'generated with the embedded database; else required, but for a worker',
    meaning: 'X-ADMIN-KEY, to create clients',
  },
  REVTAIN_MASTER_KEY: {
    accepted: KEY_ACCEPTED,
    fallback: 'generated with the embedded database; else required',
    meaning: 'seals secrets at rest',
  },
  REVTAIN_MASTER_KEY_PREVIOUS: {
    accepted: `one or more, by commas, each ${KEY_ACCEPTED}`,
    fallback: 'none',
    meaning: 'earlier master keys, still read',
  },
  STRIPE_API_BASE: {
    accepted: 'an http or https address without path, credentials, query or fragment',
    fallback: "Stripe's own",
    meaning: 'other Stripe address (a local fake)',
  },
  STRIPE_CONNECT_CLIENT_ID: {
    accepted: 'ca_…, together with STRIPE_CONNECT_SECRET_KEY',
    fallback: 'none',
    meaning: "your platform's Connect id",
  },
  STRIPE_CONNECT_SECRET_KEY: {
    accepted: 'sk_test_… or sk_live_…, together with STRIPE_CONNECT_CLIENT_ID',
    fallback: 'none',
    meaning: "your platform's own secret key",
  },
  REVTAIN_TEST_GATEWAY: {
    accepted: ON_OFF,
    fallback: UNLESS_PRODUCTION,
    meaning: 'serve the test gateway on loopback',
  },
  REVTAIN_GATEWAY_TIMEOUT_MS: {
    accepted: 'a whole number from 100 to 60000',
    fallback: '20000',
    meaning: 'deadline of one gateway call, ms',
  },
  REVTAIN_IN_FLIGHT: {
    accepted: 'a whole number from 1 to 512',
    fallback: '64',
    meaning: 'due recoveries of one client that one process works at once',
  },
  REVTAIN_GATEWAY_CALLS_PER_SECOND: {
    accepted: 'a whole number from 1 to 10000',
    fallback: "80 % of Stripe's own limits; elsewhere none",
    meaning: 'gateway calls per second and account',
  },
  REVTAIN_EGRESS_PORTS: {
    accepted: 'port numbers from 1 to 65535, by commas',
    fallback: '443,8443',
    meaning: 'ports webhooks may go to',
  },
  REVTAIN_EGRESS_PROXY: {
    accepted: 'http://user:password@host:port or https://…, without path, query or fragment',
    fallback: 'none',
    meaning: 'HTTP proxy (CONNECT) for webhooks',
  },
  REVTAIN_WEBHOOK_RETENTION_DAYS: {
    accepted: 'a whole number from 7 to 3650',
    fallback: 'for ever',
    meaning: 'days that webhook events and deliveries are kept',
  },
  REVTAIN_ALLOW_LOOPBACK: { accepted: ON_OFF, fallback: UNLESS_PRODUCTION, meaning: 'allow webhooks to this machine' },
  REVTAIN_DATA_DIR: {
    accepted: 'a folder that this user may write',
    fallback: '.data',
    meaning: 'data of the embedded database',
  },
  SMTP_URL: { accepted: 'smtp://user:password@host:port or smtps://…', fallback: 'none', meaning: EMAIL_ALERTS },
  ALERT_FROM: {
    accepted: 'an e-mail address, alone or as: Name <address>',
    fallback: 'none',
    meaning: 'sender of alerts by e-mail',
  },
  TWILIO_ACCOUNT_SID: { accepted: 'printable ASCII without spaces', fallback: 'none', meaning: SMS_ALERTS },
  TWILIO_AUTH_TOKEN: { accepted: 'printable ASCII without spaces', fallback: 'none', meaning: SMS_ALERTS },
  TWILIO_FROM: { accepted: 'printable ASCII without spaces', fallback: 'none', meaning: 'sender of alerts by SMS' },
  TWILIO_API_BASE: {
    accepted: 'an http or https address without credentials, query or fragment',
    fallback: 'https://api.twilio.com',
    meaning: 'other Twilio address',
  },
  PAGERDUTY_API_BASE: {
    accepted: 'an http or https address without path, credentials, query or fragment',
    fallback: 'https://events.pagerduty.com',
    meaning: 'other PagerDuty address',
  },
  REVTAIN_DEMO: {
    accepted: `${ON_OFF} (on needs REVTAIN_TEST_GATEWAY=on and REVTAIN_ALLOW_LOOPBACK=on)`,
    fallback: 'on with the embedded database, unless NODE_ENV=production',
    meaning: 'a demo merchant and its receiver',
  },
  REVTAIN_DEMO_RECEIVER_PORT: {
    accepted: 'a whole number from 0 (any free port) to 65535',
    fallback: '0',
    meaning: 'port of the demo receiver',
  },
  NODE_ENV: {
    // A misspelt one would start the demo and the test gateway where money is real.
    accepted: 'production, development, test, or unset',
    fallback: 'as development',
    meaning: 'production: no demo, no test gateway',
  },
  LOG_LEVEL: {
    accepted: 'trace, debug, info, warn, error, fatal, silent',
    fallback: 'info; warn with the demo',
    meaning: 'least level that is logged',
  },
  REVTAIN_DATABASE_POOL: {
    accepted: 'a whole number from 1 to 200',
    fallback: '10',
    meaning: 'database connections of this process',
  },
  REVTAIN_FAILPOINTS: {
    accepted: 'trace, or rules by commas: name[#nth][@client]=kill, kill_after, cut, cut_after, hold or hold_after',
    fallback: 'none',
    meaning: 'drills only: how this process is to fail; refused in production and beside live clients',
  },
} as const satisfies Record<string, Setting>;

export type SettingName = keyof typeof SETTINGS;

/** What `npm start -- --help` prints: every setting with its meaning and default. */
export function helpText(): string {
  const rows = Object.entries(SETTINGS).map(([name, { meaning, fallback }]) => [name, meaning, fallback] as const);
  const nameWidth = Math.max(...rows.map(([name]) => name.length));
  const meaningWidth = Math.max(...rows.map(([, meaning]) => meaning.length));
  const lines = rows.map(([name, meaning, fallback]) =>
    `  ${name.padEnd(nameWidth)}  ${meaning.padEnd(meaningWidth)}  ${fallback}`.trimEnd(),
  );
  return [
    'Usage: npm start [-- --help]',
    '',
    'Settings are environment variables; an empty one counts as unset. Name, meaning, default:',
    '',
    ...lines,
    '',
  ].join('\n');
}
