import type { ClientSettings } from '../clients/client-settings.js';

/** How a merchant looks on our pages. */
export interface Brand {
  name: string;
  logoUrl: string | null;
  /** The only place that images may come from; null without a logo. */
  logoOrigin: string | null;
  /** `#rrggbb` */
  color: string;
  /** Text that can be read on the colour. */
  onColor: '#ffffff' | '#000000';
}

/** A calm blue, for merchants who have chosen no colour. */
const COLOR_DEFAULT = '#2450b8';

/** Also what is shown where nobody may learn whose link it was. */
export const NO_BRAND: Brand = brandOf({ name: '', brandName: null, brandLogoUrl: null, brandPrimaryColor: null });

export function brandOf(
  settings: Pick<ClientSettings, 'name' | 'brandName' | 'brandLogoUrl' | 'brandPrimaryColor'>,
): Brand {
  const { name, brandName, brandLogoUrl, brandPrimaryColor } = settings;
  const color = brandPrimaryColor !== null && HEX.test(brandPrimaryColor) ? brandPrimaryColor : COLOR_DEFAULT;
  const logoOrigin = brandLogoUrl === null ? null : safeOrigin(brandLogoUrl);
  const logoUrl = logoOrigin === null ? null : brandLogoUrl;
  return { name: brandName ?? name, logoUrl, logoOrigin, color, onColor: readableOn(color) };
}

const HEX = /^#[0-9a-f]{6}$/i;

/**
 * The origin as it may stand in a Content-Security-Policy. A host may hold characters that end a directive, such as `;`:
 * a logo from there is not shown.
 */
function safeOrigin(url: string): string | null {
  if (!URL.canParse(url)) return null;
  const { origin, protocol } = new URL(url);
  if (protocol !== 'https:' && protocol !== 'http:') return null;
  return /^https?:\/\/[A-Za-z0-9.-]+(?::\d{1,5})?$/.test(origin) ? origin : null;
}

/** Black or white, whichever stands out more: one of them always does by 4.5 to 1. @see https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio */
function readableOn(color: string): Brand['onColor'] {
  const luminance = luminanceOf(color);
  return 1.05 / (luminance + 0.05) >= (luminance + 0.05) / 0.05 ? '#ffffff' : '#000000';
}

/** 0 for black, 1 for white. @see https://www.w3.org/TR/WCAG22/#dfn-relative-luminance */
function luminanceOf(color: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => linear(parseInt(color.slice(at, at + 2), 16) / 255));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function linear(channel: number): number {
  return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4;
}
