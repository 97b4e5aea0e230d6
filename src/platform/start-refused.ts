/** The service can not start, for a reason that whoever starts it can cure. The message is one line. */
export class StartRefused extends Error {
  constructor(reason: string, options?: ErrorOptions) {
    super(reason.replace(/\s*\n\s*/g, ' | '), options);
    this.name = 'StartRefused';
  }
}
