/** Compiles the launcher into a folder; returns the path of one of its modules there. */
export function compileLauncher(folder: string, module: string): string;
