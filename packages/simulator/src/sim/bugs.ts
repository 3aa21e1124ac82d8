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

const SERVER = "packages/server/src"

const NO_POSITION = "{ index: 0, head: new Uint8Array(32) }"

export const BUGS: readonly Bug[] = [
  {
    name: "nonce-put-back",
    what: "the nonces of a signature stay usable, in case its answer did not arrive",
    noticedBy: "one-time",
    edits: [
      {
        file: `${SERVER}/operations/sign.ts`,
        before: "step.oneTime.spend(id) ? await",
        after: "step.oneTime.has(id) ? await",
      },
      {
        file: `${SERVER}/operations/sign.ts`,
        before: "changes: [taken, ...fresh.changes, keyUnchanged",
        after: "changes: [...fresh.changes, keyUnchanged",
      },
    ],
  },
  {
    name: "log-after-answer",
    what: "the log entry of a request is written after its answer has left",
    noticedBy: "logged",
    edits: [
      {
        file: `${SERVER}/request/commit.ts`,
        before:
          'const positions = await deps.store.commit([...changes, { kind: "append", entry }])',
        after: [
          `const positions = [(await deps.store.logPosition()) ?? ${NO_POSITION}]`,
          "if (changes.length > 0) await deps.store.commit(changes)",
          'void deps.store.commit([{ kind: "append", entry }]).catch(() => undefined)',
        ].join(";"),
      },
    ],
  },
  {
    name: "answer-before-commit",
    what: "the answer to a step leaves while its commit is still under way",
    noticedBy: "logged",
    edits: [
      {
        file: `${SERVER}/request/commit.ts`,
        before: "const log = await commitChanges(deps, [...changes, kept], event)",
        after: [
          "void commitChanges(deps, [...changes, kept], event).catch(() => undefined)",
          `const log = (await deps.store.logPosition()) ?? ${NO_POSITION}`,
        ].join(";"),
      },
    ],
  },
  {
    name: "signature-not-verified",
    what: "the client takes whatever FROST shares add up to for a signature",
    noticedBy: "signatures",
    edits: [
      {
        file: "packages/protocols/src/frost/aggregate.ts",
        before: "if (verifyForTarget(target, pkg.message, signature)) return done(signature)",
        after: "return done(signature)",
      },
    ],
  },
  {
    name: "nonces-outlive-process",
    what: "a server signs with nonces that it finds in its store, whoever made them",
    noticedBy: "one-time",
    edits: [
      {
        file: `${SERVER}/operations/sign.ts`,
        before:
          'const row = step.oneTime.spend(id) ? await step.deps.store.read("nonces", id) : null',
        after: 'const row = await step.deps.store.read("nonces", id)',
      },
      {
        file: `${SERVER}/key-server.ts`,
        before: "const burnt = await burnUnfinished(this.#deps.store)",
        after: "const burnt = 0",
      },
    ],
  },
  {
    name: "guesses-in-memory",
    what: "guesses are counted by the process and not in the store",
    noticedBy: "guesses",
    edits: [
      {
        file: `${SERVER}/operations/login.ts`,
        before: "commitChanges(deps, [guesses.put(guess, counter)], event)",
        after: "commitChanges(deps, [], event)",
      },
    ],
  },
  {
    name: "pool-outlives-crash",
    what: "the presignatures that a crashed process left are used by the next one",
    noticedBy: "one-time",
    edits: [
      {
        file: `${SERVER}/presigning/room.ts`,
        before: 'if (store === "orderly" && left !== null && (await this.#adopt(left))) return',
        after: "if (await this.#adopt(left ?? new Uint8Array(32))) return",
      },
      {
        file: `${SERVER}/presigning/room.ts`,
        before: "if (!isPoolOf(left, ids)) return false",
        after: "",
      },
    ],
  },
  {
    name: "answers-by-account",
    what: "answers are kept for retries under the account and the time, not under the request",
    noticedBy: "failures",
    edits: [
      {
        file: `${SERVER}/request/answers.ts`,
        before: "-#{toHex(digest)}-".replace("#", "$"),
        after: "-#{toHex(request.accountId)}-".replace("#", "$"),
      },
    ],
  },
  {
    name: "dead-pair-revived",
    what: "two servers of which one failed a check of oblivious transfers set new ones up",
    noticedBy: "pairs",
    edits: [
      {
        file: `${SERVER}/presigning/pairs.ts`,
        before: 'return row?.value.kind === "dead" || this.#failed.has(peer) ? "dead" : "none"',
        after: 'return "none"',
      },
      {
        file: `${SERVER}/presigning/pairs.ts`,
        before: "const same = !this.#failed.has(peer) && isStatusOf",
        after: "const same = isStatusOf",
      },
      {
        file: `${SERVER}/presigning/pairs.ts`,
        before: 'if (row?.value.kind === "live" && !this.#failed.has(peer)) return row.value.setup',
        after: 'if (row?.value.kind === "live") return row.value.setup',
      },
      {
        file: `${SERVER}/presigning/pairs.ts`,
        before: 'if (row.kind === "dead" || status.kind !== "live") return false',
        after: 'if (row.kind === "dead" || status.kind !== "live") return row.kind === "dead"',
      },
    ],
  },
  {
    name: "activated-unconfirmed",
    what: "new shares take the place of the old ones as soon as anybody has confirmed them",
    noticedBy: "erasure",
    edits: [
      {
        file: "packages/protocols/src/reshare/certificate.ts",
        before: "const quorum = quorumOf(holders.minSigners, holders.identifiers.length)",
        after: "const quorum = 1",
      },
      {
        file: "packages/protocols/src/reshare/params.ts",
        before: "return quorumOf(minSigners, holders.length)",
        after: "return 1",
      },
    ],
  },
  {
    name: "proof-not-checked",
    what: "a server takes any KE3 for a proof of the password, and gives the guess back",
    noticedBy: "guesses",
    edits: [
      {
        file: "packages/protocols/src/opaque/answer.ts",
        before: "const right = constantTimeEqual(state.clientMac.expose(), ke3)",
        after: "const right = true",
      },
    ],
  },
  {
    name: "erased-at-dealing",
    what: "a member that leaves erases its share with its dealing, when others have yet to confirm theirs",
    noticedBy: "erasure",
    edits: [
      {
        file: `${SERVER}/operations/reshare.ts`,
        before: [
          '      row: advanced(row, { kind: "dealt", state: next }, { deal: output }),',
          "      version,",
          "      output,",
          "      changes: guardsOf(task, entries),",
        ].join("\n"),
        after: [
          'row: advanced(row, { kind: "dealt", state: next }, { deal: output }), version, output,',
          "changes: task.params.holders.includes(step.self.identifier) ? guardsOf(task, entries) :",
          'entries.map(({ id, version }) => ({ kind: "take", table: source.table,',
          'id: Buffer.from(id).toString("hex"), version })),',
        ].join(" "),
      },
    ],
  },
  {
    name: "leaver-keeps-share",
    what: "a member that leaves says that it has erased its shares, and has not",
    noticedBy: "liveness",
    edits: [
      {
        file: `${SERVER}/operations/leave-reshare.ts`,
        before: "changes.push(...erased, putGeneration(",
        after: "changes.push(sameShare(source, entry), putGeneration(",
      },
    ],
  },
  {
    name: "share-not-checked",
    what: "a holder confirms whatever shares it is dealt",
    noticedBy: "shares",
    edits: [
      {
        file: "packages/protocols/src/reshare/verdict.ts",
        before:
          "if (complaints.size === 0 && equalBytes(group.multiplyBase(sum), expected)) continue",
        after: "if (complaints.size === 0) continue",
      },
    ],
  },
  {
    name: "old-share-kept",
    what: "a new generation comes into force with the share of the one before",
    noticedBy: "mixtures",
    edits: [
      {
        file: `${SERVER}/resharing/held-keys.ts`,
        before: "      keyPackage.signingShare.wipe()\n      const listingId",
        after: "      const listingId",
      },
      {
        file: `${SERVER}/resharing/held-keys.ts`,
        before: "{ identifier, signingShare: share, public: pkg.value }",
        after: "{ identifier, signingShare: keyPackage.signingShare, public: pkg.value }",
      },
    ],
  },
  {
    name: "settled-too-early",
    what: "a server ends a transition without a look at what it holds",
    noticedBy: "stranded",
    edits: [
      {
        file: `${SERVER}/directory/may-go-on.ts`,
        before: "if (isAny(stranded)) {",
        after: "if (false) {",
      },
    ],
  },
]
