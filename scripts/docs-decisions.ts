import { readFileSync, writeFileSync } from 'node:fs';

import { withDecisionTable } from '../src/recovery/decision-page.js';

const page = new URL('../docs/decisions.md', import.meta.url);
const before = readFileSync(page, 'utf8');
const after = withDecisionTable(before);
writeFileSync(page, after);
console.log(before === after ? 'docs/decisions.md was up to date.' : 'docs/decisions.md is written anew.');
