export type { Words } from "./limbs.ts"
export { combineTriples } from "./triples.ts"
export {
  addSelected,
  differencesPlus,
  readCanonical,
  scalarWeights,
  selectedSum,
  toCanonical,
  weightedSum,
} from "./vectors.ts"
