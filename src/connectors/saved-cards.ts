/** What the card-update links make of a page that the platform says is complete; implemented by their room. */
export abstract class SavedCards {
  /** `unreadable`: the gateway is silent; ask again. */
  abstract completed(clientId: string, sessionId: string): Promise<{ kind: string }>;
}
