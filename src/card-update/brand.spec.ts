import { describe, expect, it } from '@jest/globals';

import { fc } from '../../test/support/properties.js';
import { html } from '../platform/http/html.js';
import { brandOf } from './brand.js';

const settings = { name: 'Acme', brandName: null, brandLogoUrl: null, brandPrimaryColor: null };

/** Written apart from the product's: WCAG 2.2, contrast of a colour with black or white. */
function contrastWith(color: string, text: '#ffffff' | '#000000'): number {
  const parts = [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16) / 255);
  const [r = 0, g = 0, b = 0] = parts.map((each) =>
    each > 0.04045 ? Math.pow((each + 0.055) / 1.055, 2.4) : each / 12.92,
  );
  const luminance = 0.2126 * r + 0.7152 * g + 0.0722 * b;
  return text === '#ffffff' ? 1.05 / (luminance + 0.05) : (luminance + 0.05) / 0.05;
}

describe('a brand', () => {
  it('of any colour has a button that can be read', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffffff }), (value) => {
        const brandPrimaryColor = `#${value.toString(16).padStart(6, '0')}`;
        const { color, onColor } = brandOf({ ...settings, brandPrimaryColor });
        expect(color).toBe(brandPrimaryColor);
        expect(contrastWith(color, onColor)).toBeGreaterThanOrEqual(4.5);
      }),
    );
  });

  it('shows a logo of the web, and of nowhere else', () => {
    const of = (brandLogoUrl: string) => brandOf({ ...settings, brandLogoUrl }).logoOrigin;
    expect(of('https://cdn.acme.example:8443/a.png')).toBe('https://cdn.acme.example:8443');
    for (const url of [
      'data:image/png,x',
      'javascript:alert(1)',
      'https://a;b.example/',
      "https://a'b.example/",
      'x',
    ]) {
      expect({ url, origin: of(url) }).toEqual({ url, origin: null });
    }
  });
});

describe('html', () => {
  it('lets no text become markup, wherever it stands', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const inside = html`<p title="${text}">${text}</p>`.text.slice('<p title="'.length, -'</p>'.length);
        expect(inside.replace('">', '')).not.toMatch(/[<>"']/);
      }),
    );
  });

  it('keeps what is html already, and shows nothing for null and false', () => {
    expect(html`${html`<b>1</b>`}${null}${false}${[html`2`, html`3`]}`.text).toBe('<b>1</b>23');
  });
});
