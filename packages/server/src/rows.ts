/**
 * What the rows of a store hold once they are unsealed: for tools that look into a server's own
 * database, and for adversaries under test. Servers reach them through the rooms that own them.
 */
export { type AccountRow, accountRow } from "./account-row.ts"
export { type IncidentRow, incidentRow } from "./incidents/row.ts"
export { type KeyRow, keyRow } from "./keys.ts"
export { keyGenerationRow, type Run as KeyGenerationRow } from "./operations/key-generation.ts"
export { type PairRow, pairRow } from "./presigning/pairs.ts"
export { type PresignatureRow, presignatureRow } from "./presigning/presignatures.ts"
export { type AnswerRow, answerRow } from "./request/answers.ts"
export {
  type GenerationRow,
  generationRow,
  type RepairRunRow,
  type ReshareRunRow,
  repairRunRow,
  reshareRunRow,
} from "./resharing/rows.ts"
