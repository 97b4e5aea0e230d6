/** A sleep that can be cut short. A wake that comes while nobody sleeps is kept for the next sleep, so none is missed. */
export class WakeableSleep {
  private woken = false;
  private rise: (() => void) | null = null;

  wake(): void {
    this.woken = true;
    this.rise?.();
  }

  /** Resolves after so many milliseconds of real time, or at the first wake since the last sleep. */
  async upTo(ms: number): Promise<void> {
    if (!this.woken) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        this.rise = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.rise = null;
    }
    this.woken = false;
  }
}
