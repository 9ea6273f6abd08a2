/** Unpacking a package into a slot, and learning what a package file is: the main thread's side, which never reads the file itself. */
import { basename, dirname, join } from 'node:path'
import type { Digest, Manifest } from '../model/index.ts'
import { removeTree, renameDurable } from '../slots/index.ts'
import type { Differences } from './compare.ts'
import { packageLimits } from './limits.ts'
import { runJob } from './thread.ts'
import type { Inspected } from './thread-jobs.ts'

export interface UnpackOptions {
  /** Digest that the release names; checked before anything else. */
  readonly expect: Digest
  readonly signal?: AbortSignal
  /** Bytes that the unpacked files may have together; the limit of packages if none is given. */
  readonly maxBytes?: number
  /** NODE_MODULE_VERSION of the Node.js that will load it; not asked if none is given. */
  readonly abi?: string
  /** Bytes of the disk that stay free; none if nothing is said. */
  readonly reserveBytes?: number
  /** false: no fsync, for folders that are thrown away. */
  readonly isDurable?: boolean
}

/**
 * Judges and unpacks into `intoDir`, which appears whole or not at all; its files are read-only. A slot that is there already and is
 * this package is success. One call at a time for one `intoDir`.
 * @throws ShoalError DIGEST_MISMATCH, NOT_A_ZIP, PACKAGE_REJECTED, ENGINE_UNSUPPORTED, DISK_FULL, CONFLICT; nothing is left behind
 */
export async function unpackPackage(zipFile: string, intoDir: string, options: UnpackOptions): Promise<Manifest> {
  const temp = join(dirname(intoDir), `.${basename(intoDir)}.unpacking`)
  await removeTree(temp) // of a run that was killed
  try {
    const { expect, signal, maxBytes = packageLimits.maxUnpackedBytes, reserveBytes = 0, abi = null, isDurable = true } = options
    const job = { t: 'unpack', file: zipFile, expect, temp, into: intoDir, maxBytes, reserveBytes, abi, isDurable } as const
    const answer = await runJob(job, signal)
    if (answer.t !== 'unpacked') throw new TypeError(`the thread answered ${answer.t}`)
    if (answer.isNew) await renameDurable(temp, intoDir)
    return answer.manifest
  } finally {
    await removeTree(temp)
  }
}

/**
 * What a package file is: manifest, digest, blockmap, with every rule and every file's contents checked.
 * @throws ShoalError DIGEST_MISMATCH, NOT_A_ZIP, PACKAGE_REJECTED, TOO_LARGE
 */
export async function inspectPackage(file: string, options: { expect?: Digest; signal?: AbortSignal } = {}): Promise<Inspected> {
  const answer = await runJob({ t: 'inspect', file, expect: options.expect ?? null }, options.signal)
  if (answer.t !== 'inspected') throw new TypeError(`the thread answered ${answer.t}`)
  return answer.inspected
}

/**
 * What of a slot differs from its package, every byte compared.
 * @throws ShoalError DIGEST_MISMATCH, NOT_A_ZIP, PACKAGE_REJECTED; the signal's reason
 */
export async function comparePackage(file: string, dir: string, expect: Digest, signal?: AbortSignal): Promise<Differences> {
  const answer = await runJob({ t: 'compare', file, expect, dir }, signal)
  if (answer.t !== 'compared') throw new TypeError(`the thread answered ${answer.t}`)
  return answer.differences
}
