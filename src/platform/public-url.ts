/** Where people reach this server. With PORT=0 that is known only once it listens. */
export class PublicUrl {
  private url: string | null = null;

  /** Told by the boot. */
  set(url: string): void {
    this.url = url;
  }

  /** Without a trailing slash. @throws before the server listens. */
  current(): string {
    if (this.url === null) throw new Error('the public URL is known only once the server listens');
    return this.url;
  }
}
