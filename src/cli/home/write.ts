/**
 * Writes a new node's home. Sequence is everything: the mark, keys and certificates, config.json, node.db, the built-in slot, and last
 * current.json, with which the home is a node. A failure takes back what was made; a death leaves the mark, and the home can be made again.
 */
import { chmodSync, existsSync, readdirSync, rmdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type Config, type Fact, formatConfig, type FleetId } from '../../model/index.ts'
import {
  builtInCurrent,
  hasModes,
  type HomePaths,
  installBuiltIn,
  makeFolderSync,
  removeTree,
  writeCurrent,
  writeDurable,
} from '../../slots/index.ts'
import { NodeStore } from '../../store/index.ts'
import type { KeyAndCertificate } from '../../trust/index.ts'
import { programDir } from '../program.ts'
import { unfinishedMark } from './state.ts'

export interface NewHome {
  readonly fleet: FleetId
  readonly node: KeyAndCertificate
  readonly ca: string
  /** Only where invites are redeemed. */
  readonly caKey: string | null
  /** Further private files of certs/, by path. */
  readonly secrets: ReadonlyMap<string, string>
  readonly config: Config
  /** The node keeps operators' keys. */
  readonly console: boolean
  /** All that the node knows of its fleet at first. */
  readonly facts: readonly Fact[]
}

/** @throws ShoalError DISK_FULL; the home is then as it was */
export async function writeHome(paths: HomePaths, made: NewHome): Promise<void> {
  const undo = undoer(paths)
  try {
    makeFolders(paths)
    await writeDurable(unfinishedMark(paths), '')
    await writeCerts(paths, made)
    await writeDurable(paths.config, formatConfig(made.config))
    await seed(paths, made)
    writeCurrent(paths.home, builtInCurrent(await installBuiltIn(paths.home, programDir)))
    await removeTree(unfinishedMark(paths))
  } catch (error) {
    await undo()
    throw error
  }
}

function makeFolders(paths: HomePaths): void {
  makeFolderSync(paths.home)
  for (const folder of [paths.certs, paths.operators, paths.run]) makeFolderSync(folder, 0o700)
  for (const folder of [paths.data, paths.packages, paths.slots, paths.inbox, paths.logs]) makeFolderSync(folder)
  if (hasModes) chmodSync(paths.run, 0o700)
}

async function writeCerts(paths: HomePaths, made: NewHome): Promise<void> {
  await writeDurable(paths.nodeKey, made.node.key, 0o600)
  if (made.caKey !== null) await writeDurable(paths.caKey, made.caKey, 0o600)
  for (const [path, text] of made.secrets) await writeDurable(path, text, 0o600)
  await writeDurable(paths.caPem, made.ca)
  await writeDurable(paths.nodePem, made.node.cert)
}

/** A database that a death left half seeded makes way. */
async function seed(paths: HomePaths, made: NewHome): Promise<void> {
  for (const suffix of ['', '-wal', '-shm']) await removeTree(paths.db + suffix)
  const store = new NodeStore(paths.db)
  try {
    store.saveFacts(made.facts, true)
    store.remember('fleet', made.fleet)
    store.remember('console', String(made.console))
  } finally {
    store.close()
  }
}

/** Remembers what is there now; what comes later can be taken back. A node's key that was there stays. */
export function undoer(paths: HomePaths): () => Promise<void> {
  const before = new Map<string, ReadonlySet<string>>()
  const folders = [paths.certs, paths.operators, paths.instance, paths.slots]
  for (const folder of folders) if (existsSync(folder)) before.set(folder, new Set(readdirSync(folder)))
  const missing: string[] = []
  for (let folder = paths.home; !existsSync(folder); folder = dirname(folder)) missing.push(folder)
  return async () => {
    // The slots first: without them the home is no node, whatever else is left.
    for (const folder of folders.toReversed()) {
      const kept = before.get(folder)
      if (kept === undefined) await removeTree(folder)
      else for (const name of readdirSync(folder)) if (!kept.has(name)) await removeTree(join(folder, name))
    }
    for (const folder of missing) if (existsSync(folder) && readdirSync(folder).length === 0) rmdirSync(folder)
  }
}
