export type { Words } from "./limbs.ts"
export type { Factor } from "./product.ts"
export { addSelected, readCanonical, wordsOfScalar } from "./rest.ts"
export {
  combineTriples,
  factorOfScalar,
  type ScalarWeights,
  type Subtrahend,
  scalarWeights,
  selectedSum,
  subtractAndAdd,
  weightedSum,
} from "./sums.ts"
