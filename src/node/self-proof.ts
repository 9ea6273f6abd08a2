/**
 * What a Shoal on trial must do before it confirms: one whole update as the new version. It fetches the test package from a peer, judges and
 * stages it, sees that its own supervisor could start here, and has the running supervisor rehearse a switch to the same slot. A version that
 * cannot do the next update would be the last one that its fleet ever gets.
 */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { codeFrom, type Digest, type FromWorker, messageOf, type NodeId, ShoalError, type ToWorker } from '../model/index.ts'
import { PackageStore, holdTestPackage, testPackage, unpackPackage } from '../packages/index.ts'
import { entryOf, type HomePaths, removeTree, slotDir } from '../slots/index.ts'
import { fetchPackage, type PeerRequest } from '../transfer/index.ts'
import type { Log } from './log.ts'

/** ms in which some peer must give the test package; links come back meanwhile. */
const fetchMs = 15_000
/** ms for the supervisor's own check, and for the rehearsal, on a slow box. */
const stepMs = 20_000

export interface SelfProofOptions {
  readonly paths: HomePaths
  /** The slot that is on trial. */
  readonly shoal: Digest
  /** Peers that had a link before the switch: none means that there is nobody to fetch from. */
  readonly linkedBefore: readonly NodeId[]
  readonly linked: () => readonly NodeId[]
  readonly request: PeerRequest
  readonly rehearse: (signal: AbortSignal) => Promise<void>
  readonly log: Log
  readonly signal: AbortSignal
}

/** @throws ShoalError CANNOT_UPDATE that names the step; the signal's reason */
export async function proveSelfUpdate(o: SelfProofOptions): Promise<void> {
  const scratch = join(o.paths.inbox, 'self-proof')
  const step = async (what: string, work: () => Promise<unknown>): Promise<void> => {
    try {
      await work()
    } catch (cause) {
      o.signal.throwIfAborted()
      throw new ShoalError('CANNOT_UPDATE', `${what}: ${messageOf(cause)}`, { cause })
    }
  }
  try {
    await removeTree(scratch)
    const store = await PackageStore.open({ dir: join(scratch, 'packages'), inbox: join(scratch, 'inbox'), reserveBytes: 0 })
    await step('fetch', () => fetchTestPackage(store, o))
    await step('stage', () => stageTestPackage(store, join(scratch, 'slot'), o.signal))
    await step('supervisor', () => checkSupervisor(o))
    await step('switch', () => o.rehearse(AbortSignal.any([o.signal, AbortSignal.timeout(stepMs)])))
    o.log('can update itself', { shoal: o.shoal })
  } finally {
    await removeTree(scratch)
  }
}

/** From a peer, if there is one: that all of them are gone is for the probation to judge, not a fault of transfer. */
async function fetchTestPackage(store: PackageStore, { linkedBefore, linked, request, log, signal }: SelfProofOptions): Promise<void> {
  if (linkedBefore.length === 0) return holdTestPackage(store)
  const { ref } = testPackage()
  try {
    const { fetched, sources } = await fetchPackage({
      ref,
      peers: linked,
      request,
      store,
      rng: Math.random,
      signal,
      unavailableAfterMs: fetchMs,
    })
    log('test package fetched', { bytes: fetched, sources })
  } catch (error) {
    signal.throwIfAborted()
    if (linked().length > 0) throw error
    await holdTestPackage(store)
  }
}

async function stageTestPackage(store: PackageStore, slot: string, signal: AbortSignal): Promise<void> {
  const { digest } = testPackage().ref
  await unpackPackage(store.path(digest), slot, { expect: digest, signal })
}

/** The supervisor of this slot is adopted at the next start only; that it loads and can read this home shows now. */
async function checkSupervisor({ paths, shoal, signal }: SelfProofOptions): Promise<void> {
  const entry = entryOf(slotDir(paths.home, shoal))
  if (entry === null) throw new ShoalError('HOME_DAMAGED', `${slotDir(paths.home, shoal)}: the slot has no src/entry`)
  const args = [entry, 'supervise', '--home', paths.home, '--slot', shoal, '--check']
  const options = { cwd: paths.home, signal, timeout: stepMs, killSignal: 'SIGKILL' } as const
  await promisify(execFile)(process.execPath, args, options).catch((cause: unknown) => {
    const said = cause instanceof Error && 'stderr' in cause ? String(cause.stderr).trim() : ''
    throw new ShoalError('CANNOT_UPDATE', said === '' ? messageOf(cause) : said, { cause })
  })
}

/** The question to the supervisor whether it could switch to the same slot again, and its answer. */
export class Rehearsal {
  readonly #send: (message: FromWorker) => void
  #pending: PromiseWithResolvers<undefined> | null = null

  constructor(send: (message: FromWorker) => void) {
    this.#send = send
  }

  /** @throws ShoalError as the second worker failed; the signal's reason */
  async ask(signal: AbortSignal): Promise<void> {
    const pending = Promise.withResolvers<undefined>()
    this.#pending = pending
    const onAbort = (): void => pending.reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      signal.throwIfAborted()
      this.#send({ t: 'rehearse' })
      await pending.promise
    } finally {
      signal.removeEventListener('abort', onAbort)
      this.#pending = null
    }
  }

  answered({ code, message }: Extract<ToWorker, { t: 'rehearsed' }>): void {
    if (code === '') this.#pending?.resolve(undefined)
    else this.#pending?.reject(new ShoalError(codeFrom(code), `${code}: ${message}`))
  }
}
