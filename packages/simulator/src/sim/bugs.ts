/** One replacement in a file of the product. */
export interface Edit {
  /** From the root of the repository. */
  readonly file: string
  /** Occurs exactly once in the file. */
  readonly before: string
  readonly after: string
}

/** A mistake that somebody could make, which the simulator has to notice. */
export interface Bug {
  readonly name: string
  readonly what: string
  /** The checker that notices it first, as a rule. */
  readonly noticedBy: string
  readonly edits: readonly Edit[]
}

export const BUGS: readonly Bug[] = []
