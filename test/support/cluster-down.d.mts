/** Stops it again. */
export default function clusterDown(): Promise<void>;
