import { messageOf } from './error-facts.js';
import { SETTINGS, type SettingName } from './settings.js';

/** A setting is bad or missing. The message is one line that names it and what is accepted, and never its value. */
export class ConfigError extends Error {
  constructor(
    readonly setting: SettingName,
    problem: string,
    options?: ErrorOptions,
  ) {
    super(`${setting} ${problem}; accepted: ${SETTINGS[setting].accepted}`, options);
    this.name = 'ConfigError';
  }
}

/** Reads one kind of value each. All answer null for a setting that is unset or empty, and throw for a bad one. */
export class SettingsReader {
  constructor(private readonly env: NodeJS.ProcessEnv) {}

  text(name: SettingName): string | null {
    return this.env[name]?.trim() || null;
  }

  /** Printable ASCII without spaces, as a header can carry. */
  word(name: SettingName, lengthMin = 1): string | null {
    return this.parse(name, (text) => {
      if (!/^[\x21-\x7e]+$/.test(text)) return null;
      if (text.length < lengthMin) throw this.refusal(name, `has fewer than ${lengthMin} characters`);
      return text;
    });
  }

  matching(name: SettingName, form: RegExp): string | null {
    return this.parse(name, (text) => (form.test(text) ? text : null));
  }

  integer(name: SettingName, min: number, max: number): number | null {
    return this.parse(name, (text) => parseInteger(text, min, max));
  }

  oneOf<T extends string>(name: SettingName, accepted: readonly T[]): T | null {
    return this.parse(name, (text) => accepted.find((word) => word === text) ?? null);
  }

  onOff(name: SettingName): boolean | null {
    const word = this.oneOf(name, ['on', 'off']);
    return word === null ? null : word === 'on';
  }

  host(name: SettingName): string | null {
    return this.parse(name, (text) => (/^[A-Za-z0-9._:-]+$/.test(text) ? text : null));
  }

  ports(name: SettingName): number[] | null {
    return this.parse(name, (text) => allOrNull(text.split(',').map((part) => parseInteger(part.trim(), 1, 65_535))));
  }

  /** An http or https address, without its trailing slash. */
  webAddress(name: SettingName): string | null {
    return this.parse(name, (text) => {
      const url = parseWebUrl(text);
      return url ? url.href.replace(/\/+$/, '') : null;
    });
  }

  /** An http or https address that has no path. */
  webOrigin(name: SettingName): string | null {
    return this.parse(name, (text) => {
      const url = parseWebUrl(text);
      return url?.pathname === '/' ? url.origin : null;
    });
  }

  /** The address of an HTTP proxy, with or without credentials, and nothing behind its port. */
  proxyUrl(name: SettingName): string | null {
    return this.parse(name, (text) => {
      if (!isUrlOf(text, ['http:', 'https:'])) return null;
      const url = new URL(text);
      return url.pathname === '/' && url.search === '' && url.hash === '' ? url.href : null;
    });
  }

  databaseUrl(name: SettingName): string | null {
    return this.parse(name, (text) => (isUrlOf(text, ['postgres:', 'postgresql:']) ? text : null));
  }

  smtpUrl(name: SettingName): string | null {
    return this.parse(name, (text) => (isUrlOf(text, ['smtp:', 'smtps:']) && new URL(text).hostname ? text : null));
  }

  emailSender(name: SettingName): string | null {
    return this.parse(name, (text) =>
      /^(?:[^\s<>@]+@[^\s<>@]+|[^<>@]*<[^\s<>@]+@[^\s<>@]+>)$/.test(text) ? text : null,
    );
  }

  key(name: SettingName): Buffer | null {
    return this.parse(name, parseKey);
  }

  keys(name: SettingName): Buffer[] | null {
    return this.parse(name, (text) => allOrNull(text.split(',').map((part) => parseKey(part.trim()))));
  }

  /** The key that a file gave in place of the setting. */
  keyFrom(name: SettingName, path: string, text: string): Buffer {
    const key = parseKey(text);
    if (key === null) throw this.refusal(name, `as kept in ${path} is damaged`);
    return key;
  }

  /** Does what a setting asks for; a failure of the file system is the setting's fault. */
  attempt<T>(name: SettingName, work: () => T): T {
    try {
      return work();
    } catch (cause) {
      throw new ConfigError(name, `cannot be used (${messageOf(cause)})`, {
        cause,
      });
    }
  }

  refusal(name: SettingName, problem: string): ConfigError {
    return new ConfigError(name, problem);
  }

  private parse<T>(name: SettingName, parse: (text: string) => T | null): T | null {
    const text = this.text(name);
    if (text === null) return null;
    const value = parse(text);
    if (value === null) throw this.refusal(name, 'is not valid');
    return value;
  }
}

function parseInteger(text: string, min: number, max: number): number | null {
  if (!/^\d{1,9}$/.test(text)) return null;
  const number = Number(text);
  return number >= min && number <= max ? number : null;
}

// Buffer.from skips what is not base64, so the form is checked first: 43 characters carry 32 bytes, padded or not.
function parseKey(text: string): Buffer | null {
  return /^[A-Za-z0-9+/_-]{43}=?$/.test(text) ? Buffer.from(text, 'base64') : null;
}

function parseWebUrl(text: string): URL | null {
  if (!isUrlOf(text, ['http:', 'https:'])) return null;
  const url = new URL(text);
  return url.username || url.password || url.search || url.hash ? null : url;
}

function isUrlOf(text: string, protocols: string[]): boolean {
  return URL.canParse(text) && protocols.includes(new URL(text).protocol);
}

function allOrNull<T>(values: (T | null)[]): T[] | null {
  const whole = values.filter((value) => value !== null);
  return whole.length === values.length ? whole : null;
}
