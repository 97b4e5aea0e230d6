import { readFileSync } from 'node:fs';

import { parse } from 'csv-parse/sync';

/** Thrown while a table is loaded, so that a bad row stops the start and names itself. */
export class BadTable extends Error {
  constructor(file: string, line: number, problem: string) {
    super(`policy/${file}, row ${line}: ${problem}`);
    this.name = 'BadTable';
  }
}

/** One row of a table as text, with readers that refuse what is not accepted. */
export class TableRow {
  constructor(
    readonly file: string,
    readonly line: number,
    private readonly cells: Readonly<Record<string, string>>,
  ) {}

  /** The cell's text, '' when empty. @throws {BadTable} when the column is missing. */
  text(column: string): string {
    const value = this.cells[column];
    if (value === undefined) throw this.bad(`column ${column} is missing`);
    return value;
  }

  required(column: string): string {
    const value = this.text(column);
    if (value === '') throw this.bad(`${column} is empty`);
    return value;
  }

  oneOf<T extends string>(column: string, accepted: readonly T[]): T {
    const value = this.text(column);
    const found = accepted.find((one) => one === value);
    if (found === undefined) throw this.bad(`${column} is "${value}", accepted: ${accepted.join(' ')}`);
    return found;
  }

  /** Null when the cell is empty. */
  wholeNumber(column: string, min: number, max: number): number | null {
    const value = this.text(column);
    if (value === '') return null;
    const number = Number(value);
    if (!/^\d+$/.test(value) || number < min || number > max) {
      throw this.bad(`${column} is "${value}", accepted: a whole number from ${min} to ${max}`);
    }
    return number;
  }

  bad(problem: string): BadTable {
    return new BadTable(this.file, this.line, problem);
  }
}

interface Edition {
  edition: string;
  rows: number;
  source: string;
}

// The tables lie beside the code both in `src` and in `dist` (scripts/copy-assets.mjs brings them there).
const editions = JSON.parse(readFileSync(new URL('./policy/editions.json', import.meta.url), 'utf8')) as Readonly<
  Record<string, Edition>
>;

/**
 * Reads a table of the policy folder. The number of rows must be the edition's, so that a half-copied file is noticed.
 * @throws {BadTable} when the file has no edition, or another number of rows.
 */
export function readTable(file: string): TableRow[] {
  const edition = editions[file];
  if (!edition) throw new BadTable(file, 0, 'has no entry in editions.json');
  const text = readFileSync(new URL(`./policy/${file}`, import.meta.url), 'utf8');
  return parseTable(file, text, edition.rows);
}

/**
 * The rows of a table's text; the first line names the columns.
 * @throws {BadTable} when `expectedRows` is given and the table has another number.
 */
export function parseTable(file: string, text: string, expectedRows?: number): TableRow[] {
  const records = parse<Record<string, string>>(text, { columns: true, skip_empty_lines: true });
  if (expectedRows !== undefined && records.length !== expectedRows) {
    throw new BadTable(file, records.length + 1, `is the last, and the edition has ${expectedRows} rows`);
  }
  return records.map((cells, index) => new TableRow(file, index + 2, cells));
}
