import { toHex } from "@lockkeeper/encoding"
import type { Observed } from "./observed.ts"

/** What happened in a run in order, one line each: for whoever looks for the cause of a violation. */
export function storyOf(observed: Observed): readonly string[] {
  const { commits, starts, accounts, keys, children, signatures, failures, refreshes } = observed
  const zero = commits[0]?.time ?? 0
  const timeOf = (order: number): number => commits[order]?.time ?? zero
  const short = (id: Uint8Array): string => toHex(id).slice(0, 8)
  const lines: { readonly time: number; readonly line: string }[] = [
    ...starts.map(({ order, server, process, how, logSize }) => ({
      time: timeOf(order),
      line: `server ${server} started as process ${process}, ${how}, log of ${logSize}`,
    })),
    ...commits.flatMap(({ time, server, events }) =>
      events.map(({ operation, step, outcome, reason, index }) => ({
        time,
        line: `server ${server} logged ${index}: ${operation} ${step} ${outcome} ${reason}`,
      })),
    ),
    ...accounts.map(({ time, actor }) => ({ time, line: `${actor} registered` })),
    ...keys.map(({ time, actor, keyId, keyType, log }) => ({
      time,
      line: `${actor} has ${keyType} key ${short(keyId)} at ${log.map((one) => `${one.server}:${one.index}`)}`,
    })),
    ...children.map(({ time, actor, keyId }) => ({
      time,
      line: `${actor} derived ${short(keyId)}`,
    })),
    ...signatures.map(({ time, actor, keyId, signers, log }) => ({
      time,
      line: `${actor} signed with ${short(keyId)} by ${signers} at ${log.map((one) => one.index)}`,
    })),
    ...refreshes.map(({ time, actor, kind, done, skipped, finished }) => ({
      time,
      line: `${actor} refreshed ${done} ${kind}, skipped ${skipped}, finished runs at ${finished}`,
    })),
    ...observed.rosterSteps.map(({ time, roster, what }) => ({
      time,
      line: `roster ${roster}: ${what}`,
    })),
    ...failures.map(({ time, actor, operation, code, message }) => ({
      time,
      line: `${actor} failed to ${operation}: ${code}: ${message}`,
    })),
  ]
  return lines
    .sort((a, b) => a.time - b.time)
    .map(({ time, line }) => `    +${time - zero} ms ${line}`)
}
