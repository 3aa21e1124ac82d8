/** Checks whose deletion nothing can notice, and why they stay. */
export const unnoticed: readonly {
  readonly path: string
  readonly condition: string
  readonly why: string
}[] = []
