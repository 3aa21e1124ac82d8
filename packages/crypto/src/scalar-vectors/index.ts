export type { Words } from "./limbs.ts"
export type { Factor } from "./product.ts"
export { addSelected, readCanonical } from "./rest.ts"
export {
  combineTriples,
  differencesPlus,
  factorOfScalar,
  type ScalarWeights,
  type Subtrahend,
  scalarWeights,
  selectedSum,
  weightedSum,
} from "./sums.ts"
