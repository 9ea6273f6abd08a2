/**
 * The thread that judges, inspects and unpacks: hashing and inflating a package would hold up the node's event loop for seconds.
 * Order of checks: size, digest, rules, contents, and only then the first write. A failure leaves a folder that the main thread throws away.
 */
import { closeSync, constants, fchmodSync, fsyncSync, lstatSync, mkdirSync, openSync, readFileSync, statSync, writeSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import AdmZip from 'adm-zip'
import { codeOf, type Digest, messageOf, ShoalError } from '../model/index.ts'
import { freeBytes, isDiskFull, isWindows } from '../slots/index.ts'
import { blockmapOf, formatBlockmap, sha256Hex } from './blockmap.ts'
import { differencesOf } from './compare.ts'
import { judgeContent, judgeContents } from './contents.ts'
import { type JudgedEntry, type JudgedPackage, judgePackage } from './judge.ts'
import { packageLimits } from './limits.ts'
import { reject, shown } from './rules.ts'
import type { Answer, Job } from './thread-jobs.ts'

const syncsAtOnce = 32

async function run(job: Job): Promise<Answer> {
  try {
    const bytes = readPackage(job.file, job.expect)
    const judged = judgePackage(bytes.data)
    judgeContents(bytes.data, judged)
    if (job.t === 'compare') return { t: 'compared', differences: differencesOf(job.dir, judged, readerOf(bytes.data)) }
    return job.t === 'inspect' ? inspect(bytes, judged) : await unpack(job, bytes.data, judged)
  } catch (error) {
    return { t: 'failed', code: isDiskFull(error) ? 'DISK_FULL' : codeOf(error), message: messageOf(error) }
  }
}

function readPackage(file: string, expect: Digest | null): { data: Buffer; digest: Digest } {
  const size = statSync(file, { throwIfNoEntry: false })?.size
  if (size === undefined) throw new ShoalError('NOT_FOUND', `${file}: there is no such package`)
  if (size > packageLimits.maxBytes) throw new ShoalError('TOO_LARGE', `${file}: ${size} bytes, at most ${packageLimits.maxBytes}`)
  const data = readFileSync(file)
  const digest = sha256Hex(data)
  if (expect !== null && digest !== expect) throw new ShoalError('DIGEST_MISMATCH', `${file}: sha256 is ${digest}, expected ${expect}`)
  return { data, digest }
}

function inspect({ data, digest }: { data: Buffer; digest: Digest }, judged: JudgedPackage): Answer {
  const blockmapText = formatBlockmap(blockmapOf(data, judged))
  const { manifest, unpackedBytes } = judged
  return {
    t: 'inspected',
    inspected: { manifest, digest, size: data.length, unpackedBytes, blockmapText, blockmap: sha256Hex(blockmapText) },
  }
}

async function unpack(job: Extract<Job, { t: 'unpack' }>, data: Buffer, judged: JudgedPackage): Promise<Answer> {
  if (judged.unpackedBytes > job.maxBytes) reject('unpacked-size', `${judged.unpackedBytes} bytes unpacked, at most ${job.maxBytes}`)
  const { abi } = judged.manifest.engines
  if (job.abi !== null && abi !== undefined && abi !== job.abi)
    throw new ShoalError('ENGINE_UNSUPPORTED', `the package's native addons were built for ABI ${abi}, this node's Node.js has ${job.abi}`)
  const read = readerOf(data)
  if (lstatSync(job.into, { throwIfNoEntry: false }) !== undefined) {
    requireSame(job.into, judged, read)
    return { t: 'unpacked', manifest: judged.manifest, isNew: false }
  }
  await requireSpace(dirname(job.temp), judged.unpackedBytes, job.reserveBytes)
  const folders = writeAll(job.temp, judged, read)
  if (job.isDurable) await syncAll(job.temp, judged, folders)
  return { t: 'unpacked', manifest: judged.manifest, isNew: true }
}

/** @throws ShoalError DISK_FULL, before the first write */
async function requireSpace(folder: string, bytes: number, reserveBytes: number): Promise<void> {
  const free = await freeBytes(folder)
  const lacking = bytes + reserveBytes - free
  if (lacking <= 0) return
  const needs = `${bytes} bytes unpacked and a reserve of ${reserveBytes}`
  throw new ShoalError('DISK_FULL', `${folder}: ${needs} need ${lacking} bytes more than the ${free} that are free`)
}

/** Reads contents with adm-zip, and verifies again what it gives. */
function readerOf(data: Buffer): (entry: JudgedEntry) => Buffer {
  const zip = new AdmZip(data, { noSort: true })
  return entry => {
    const contents = contentsOf(zip, entry)
    judgeContent(entry, contents)
    return contents
  }
}

function contentsOf(zip: AdmZip, entry: JudgedEntry): Buffer {
  try {
    return zip.getEntry(entry.path)?.getData() ?? reject('contents', `${shown(entry.path)} cannot be found again`)
  } catch (cause) {
    if (cause instanceof ShoalError) throw cause
    return reject('contents', `${shown(entry.path)}: ${messageOf(cause)}`, cause)
  }
}

/** Everything is new: `temp` must not be there, no file may be, no link is followed. Returns the folders made. */
function writeAll(temp: string, judged: JudgedPackage, read: (entry: JudgedEntry) => Buffer): readonly string[] {
  mkdirSync(temp, { mode: 0o755 })
  const folders = new Set([temp])
  for (const entry of judged.entries) {
    const path = join(temp, entry.path)
    makeFolders(dirname(path), folders)
    writeNew(path, read(entry), entry.mode === 0o755 ? 0o555 : 0o444)
  }
  return [...folders]
}

function makeFolders(folder: string, known: Set<string>): void {
  if (known.has(folder)) return
  makeFolders(dirname(folder), known)
  mkdirSync(folder, { mode: 0o755 })
  known.add(folder)
}

function writeNew(path: string, contents: Buffer, mode: number): void {
  const fd = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600)
  try {
    for (let done = 0; done < contents.length; ) done += writeSync(fd, contents, done)
    fchmodSync(fd, mode)
    // Windows flushes only through a handle that may write: later it is too late.
    if (isWindows) fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

/** Many fsyncs at once share the file system's commits; one after the other they take minutes on a slow disk. */
async function syncAll(temp: string, judged: JudgedPackage, folders: readonly string[]): Promise<void> {
  if (isWindows) return
  const paths = [...judged.entries.map(entry => join(temp, entry.path)), ...folders]
  for (let at = 0; at < paths.length; at += syncsAtOnce) await Promise.all(paths.slice(at, at + syncsAtOnce).map(syncOne))
}

async function syncOne(path: string): Promise<void> {
  await using handle = await open(path, 'r')
  await handle.sync()
}

/** A slot that is there already must be this package, file by file; what an app wrote beside them stays. @throws ShoalError CONFLICT */
function requireSame(into: string, judged: JudgedPackage, read: (entry: JudgedEntry) => Buffer): void {
  const [changed] = differencesOf(into, judged, read).changed
  if (changed !== undefined) throw new ShoalError('CONFLICT', `${into} is there already and differs from the package: ${shown(changed)}`)
}

parentPort?.postMessage(await run(workerData as Job))
