/** The body of an action that takes no field: what is sent all the same is refused, as everywhere. */
export class EmptyBody {}
