/** Something that must never be, was. */
export interface Violation {
  invariant: string;
  /** The debt it befell; null where it is nobody's. */
  debt: number | null;
  atMs: number;
  detail: string;
}

export type Report = (invariant: string, debt: number | null, detail: string) => void;
