/** Starts the PostgreSQL of a test run, and tells of it through the environment. */
export default function clusterUp(): Promise<void>;
