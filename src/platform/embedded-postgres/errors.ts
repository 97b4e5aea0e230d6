/** The embedded PostgreSQL cannot run here or did not start. The message is one line for the person who started us. */
export class EmbeddedPostgresFailed extends Error {
  constructor(reason: string, options?: ErrorOptions) {
    super(`The embedded PostgreSQL ${reason.trim().replace(/\s*\n\s*/g, ' | ')}`, options);
    this.name = 'EmbeddedPostgresFailed';
  }

  /** For what no retry and no other folder can cure. */
  static unsupported(reason: string, options?: ErrorOptions): EmbeddedPostgresFailed {
    const remedy = 'set DATABASE_URL to a PostgreSQL 15 or newer';
    return new EmbeddedPostgresFailed(`cannot run here (${reason}): ${remedy}`, options);
  }
}

/** Another process runs on this data folder. The message is one line for the person who started us. */
export class DataFolderBusy extends Error {
  constructor(
    readonly folder: string,
    readonly holder: FolderHolder,
  ) {
    super(
      `The data folder ${folder} is already in use${describe(holder)}: stop that one first, ` +
        'or set REVTAIN_DATA_DIR to another folder.',
    );
    this.name = 'DataFolderBusy';
  }
}

/** The process that holds a data folder, as far as it told; the port is that of its HTTP service. */
export interface FolderHolder {
  pid: number | null;
  port: number | null;
}

function describe({ pid, port }: FolderHolder): string {
  if (pid === null) return '';
  return port === null ? ` (pid ${pid})` : ` (pid ${pid}, port ${port})`;
}
