import pg from 'pg';

/** A named statement is prepared once per connection; hot paths name theirs. */
export interface Statement {
  name?: string;
  text: string;
  values?: readonly unknown[];
  /** What it is for, where one name serves several ends; no part of what is sent. */
  about?: string;
}

/** How statements reach the database: `sendFlight`, or the same with failpoints around it. */
export type SendFlight = (client: pg.ClientBase, statements: readonly Statement[]) => Promise<StatementResult[]>;

export interface StatementResult<Row extends pg.QueryResultRow = pg.QueryResultRow> {
  /** As PostgreSQL names it, such as `INSERT` or `ROLLBACK`. */
  command: string;
  rows: Row[];
  /** Rows written, or read. */
  rowCount: number;
}

/** Sends statements as one flight. @throws what the first of them to fail met; none of those behind it has run then. */
export async function sendFlight(client: pg.ClientBase, statements: readonly Statement[]): Promise<StatementResult[]> {
  const flight = client.query(new Flight(statements));
  try {
    return (await flight.landed).map(readResult);
  } catch (error) {
    // The driver's own stack ends in its socket; whoever reads the log wants to know who sent the statement.
    if (error instanceof Error) Error.captureStackTrace(error);
    throw error;
  }
}

/**
 * Statements in one write with one Sync behind them, so that PostgreSQL answers once: for short statements the turns
 * between the two processes cost more than the work. Without a BEGIN among them they are one transaction all the same.
 * node-postgres runs it as it runs its cursors, by the methods below.
 * @see https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-PIPELINING
 */
class Flight implements pg.Submittable {
  readonly landed: Promise<RawResult[]>;
  private resolve!: (results: RawResult[]) => void;
  private reject!: (error: unknown) => void;
  private readonly parameters: Parameter[][];
  private readonly results: RawResult[] = [];
  private fields: pg.FieldDef[] = [];
  private rows: RawRow[] = [];
  private prepared = new Set<string>();

  constructor(private readonly statements: readonly Statement[]) {
    // Before anything is sent: a value that has no form must not leave half a flight on the wire.
    this.parameters = statements.map(({ values = [] }) => values.map(parameterOf));
    this.landed = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }

  submit(connection: pg.Connection): void {
    this.prepared = preparedOn(connection);
    connection.stream.cork();
    this.statements.forEach((statement, index) => this.send(connection, statement, this.parameters[index] ?? []));
    connection.sync();
    connection.stream.uncork();
  }

  handleRowDescription({ fields }: { fields: pg.FieldDef[] }): void {
    this.fields = fields;
  }

  handleDataRow({ fields }: { fields: RawRow }): void {
    this.rows.push(fields);
  }

  handleCommandComplete({ text }: { text: string }): void {
    this.results.push({ tag: text, fields: this.fields, rows: this.rows });
    this.fields = [];
    this.rows = [];
  }

  handleError(error: Error & { code?: string }): void {
    if (STALE_STATEMENT.includes(error.code ?? '')) this.prepared.clear();
    this.reject(error);
  }

  handleReadyForQuery(): void {
    for (const { name } of this.statements) if (name !== undefined) this.prepared.add(name);
    this.resolve(this.results);
  }

  private send(connection: pg.Connection, { name = '', text }: Statement, values: Parameter[]): void {
    if (!this.prepared.has(name)) {
      // An earlier flight may have prepared it and failed behind it; closing what is not there is no error.
      if (name !== '') connection.close({ type: 'S', name }, true);
      connection.parse({ name, text, types: [] }, true);
    }
    connection.bind({ portal: '', statement: name, values }, true);
    connection.describe({ type: 'P', name: '' }, true);
    connection.execute({ portal: '' }, true);
  }
}

/** invalid_sql_statement_name; feature_not_supported: what a prepared statement meets after a migration of its table. */
const STALE_STATEMENT = ['26000', '0A000'];

const preparedByConnection = new WeakMap<pg.Connection, Set<string>>();

function preparedOn(connection: pg.Connection): Set<string> {
  const known = preparedByConnection.get(connection);
  if (known) return known;
  const prepared = new Set<string>();
  preparedByConnection.set(connection, prepared);
  return prepared;
}

type RawRow = (string | null)[];

interface RawResult {
  /** Such as `INSERT 0 1`. */
  tag: string;
  fields: pg.FieldDef[];
  rows: RawRow[];
}

function readResult({ tag, fields, rows }: RawResult): StatementResult {
  const words = tag.split(' ');
  const columns = fields.map(({ name, dataTypeID }) => ({ name, parse: parserOf(dataTypeID) }));
  const read = (raw: RawRow) => {
    const row: Record<string, unknown> = {};
    columns.forEach(({ name, parse }, index) => {
      const text = raw[index] ?? null;
      row[name] = text === null ? null : parse(text);
    });
    return row;
  };
  return { command: words[0] ?? '', rows: rows.map(read), rowCount: Number(words.at(-1)) || 0 };
}

function parserOf(dataTypeId: number): (text: string) => unknown {
  return pg.types.getTypeParser(dataTypeId, 'text') as (text: string) => unknown;
}

/** Text as PostgreSQL reads it, bytes as they are, or NULL. */
type Parameter = string | Buffer | null;

function parameterOf(value: unknown): Parameter {
  if (value === null || value === undefined) return null;
  if (Buffer.isBuffer(value) || typeof value === 'string') return value;
  if (Array.isArray(value)) return `{${value.map(elementOf).join(',')}}`;
  if (value instanceof Date) return value.toISOString();
  if (typeof value === 'object') return JSON.stringify(value);
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') return String(value);
  throw new TypeError(`a ${typeof value} is no parameter of a statement`);
}

/**
 * One element of an array's text. Batches are written by arrays, so the usual kinds come first, and text is searched for
 * what must be escaped before it is copied.
 * @see https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO
 */
function elementOf(value: unknown): string {
  if (value === null || value === undefined) return 'NULL';
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (typeof value === 'string') return quoted(value);
  if (Array.isArray(value)) return `{${value.map(elementOf).join(',')}}`;
  const parameter = parameterOf(value);
  if (parameter === null) return 'NULL';
  const text = Buffer.isBuffer(parameter) ? `\\x${parameter.toString('hex')}` : parameter;
  return quoted(text);
}

function quoted(text: string): string {
  return TO_ESCAPE.test(text) ? `"${text.replace(/[\\"]/g, '\\$&')}"` : `"${text}"`;
}

const TO_ESCAPE = /[\\"]/;
