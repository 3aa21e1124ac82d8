import { chmodSync, closeSync, existsSync, fsyncSync, openSync, statSync } from "node:fs"
import { dirname } from "node:path"
import Database from "better-sqlite3"
import { StoreUnavailable } from "../../ports/row-store.ts"
import { plantTree } from "./log-tree.ts"

/** "LKey": what `file` and other tools see in the header. */
const APPLICATION_ID = 0x4c4b6579

/**
 * 2 came with presignatures, 3 with incidents, 4 with generations of shares, 5 with charters: nothing in the
 * file changed, but a program that knows only version 1 would leave presignatures where they are when it has
 * to burn them, one that knows only version 2 would work with servers that are quarantined, one
 * that knows only version 3 would sign with presignatures of shares that are no more, and one that knows
 * only version 4 would ask no policy. 6 came with the log's Merkle tree, whose heads take the place of a hash
 * chain's.
 */
const SCHEMA_VERSION = 6

/** How long a writer waits for another process's transaction, milliseconds. */
const BUSY_TIMEOUT_MS = 5_000

// WITHOUT ROWID keeps a row beside its key; ids compare by their bytes.
const SCHEMA = `
  CREATE TABLE records (
    "table" TEXT NOT NULL,
    id TEXT NOT NULL,
    version INTEGER NOT NULL CHECK (version > 0),
    value BLOB NOT NULL,
    PRIMARY KEY ("table", id)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE log (
    "index" INTEGER PRIMARY KEY,
    commitment BLOB NOT NULL CHECK (length(commitment) = 32),
    head BLOB NOT NULL CHECK (length(head) = 32),
    body BLOB NOT NULL
  ) STRICT;
`

// Roots of full tiles of the level below, from level 1 on.
const TREE_SCHEMA = `
  CREATE TABLE log_tiles (
    level INTEGER NOT NULL CHECK (level > 0),
    "index" INTEGER NOT NULL,
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (level, "index")
  ) STRICT, WITHOUT ROWID;
`

function createOwnerOnly(path: string): void {
  closeSync(openSync(path, "a", 0o600))
  // The mode of open() is narrowed by the umask but never widened; an older file may be wider.
  if ((statSync(path).mode & 0o077) !== 0) chmodSync(path, 0o600)
}

/**
 * Opening has made the write-ahead log. SQLite syncs its name with the first commit, but passes over
 * that this failed: a power cut would then take all commits along with the name.
 */
function syncNames(directory: string): void {
  const descriptor = openSync(directory, "r")
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

function integerPragma(database: Database.Database, name: string): number {
  return database.pragma(name, { simple: true }) as number
}

/** Opens the database file, creating it owner-only. @throws StoreUnavailable saying why not. */
export function openDatabase(path: string): Database.Database {
  const fresh = !existsSync(path)
  try {
    if (fresh) createOwnerOnly(path)
    const database = new Database(path, { timeout: BUSY_TIMEOUT_MS })
    prepareDatabase(database)
    syncNames(dirname(path))
    return database
  } catch (error) {
    if (error instanceof StoreUnavailable) throw error
    throw new StoreUnavailable(`cannot open the database ${path}`, { cause: error })
  }
}

function createTables(database: Database.Database): void {
  const tables = database.prepare("SELECT count(*) AS n FROM sqlite_schema").get() as { n: number }
  if (tables.n > 0) throw new StoreUnavailable("the file is another program's database")
  database.exec(SCHEMA)
  database.pragma(`application_id = ${APPLICATION_ID}`)
}

function prepareDatabase(database: Database.Database): void {
  database.pragma("journal_mode = WAL")
  // A commit returns only after the write-ahead log is on disk.
  database.pragma("synchronous = FULL")
  database.pragma("fullfsync = ON")
  // Freed pages are overwritten: a taken nonce does not linger in the file.
  database.pragma("secure_delete = ON")
  database.pragma("trusted_schema = OFF")
  database.pragma("wal_autocheckpoint = 1000")
  database.pragma("journal_size_limit = 67108864")
  const migrate = database.transaction(() => {
    const version = integerPragma(database, "user_version")
    if (version === SCHEMA_VERSION) return
    if (version > SCHEMA_VERSION) {
      throw new StoreUnavailable("the database was written by a newer version of the server")
    }
    if (version === 0) createTables(database)
    demandOurs(database)
    if (version < 6) {
      database.exec(TREE_SCHEMA)
      plantTree(database)
    }
    database.pragma(`user_version = ${SCHEMA_VERSION}`)
  })
  migrate.immediate()
  demandOurs(database)
}

function demandOurs(database: Database.Database): void {
  if (integerPragma(database, "application_id") !== APPLICATION_ID) {
    throw new StoreUnavailable("the file is another program's database")
  }
}
