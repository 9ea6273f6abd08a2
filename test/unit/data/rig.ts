/** A home with data in it, releases that migrate it, and a disk that dies at any step. Real folders; what is played is the supervisor's part. */
import {
  appendFileSync,
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join, sep } from 'node:path'
import {
  type Digest,
  parseCurrent,
  parseDigest,
  parseOrderId,
  ShoalError,
  type SwitchTarget,
  systemCodeOf,
} from '../../../src/model/index.ts'
import { type HomePaths, homePaths, slotDir, writeCurrent } from '../../../src/slots/index.ts'
import { prepareData, realTreeDisk, settleData, type TreeDisk } from '../../../src/data/index.ts'

export interface TestRelease {
  readonly digest: Digest
  readonly name: string
  readonly dataVersion: number
}

export const release = (mark: string, dataVersion: number, name = 'till'): TestRelease => ({
  digest: parseDigest(mark.repeat(64)),
  name,
  dataVersion,
})

export const order = parseOrderId('a'.repeat(52))
const shoal = 'f'.repeat(64)

export const trialOf = (app: TestRelease, attempt = 1): SwitchTarget => ({
  order,
  attempt,
  kind: 'app',
  digest: app.digest,
  handover: 'exclusive',
  probationMs: 1000,
  linked: 0,
})

export class Died extends Error {}
export const noSpace = (): Error => Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
const otherDisk = (): Error => Object.assign(new Error('cross-device link not permitted'), { code: 'EXDEV' })

/** A real durable write says it in the words of the house. */
function fullOrAsItIs(error: unknown): never {
  if (systemCodeOf(error) === 'ENOSPC') throw new ShoalError('DISK_FULL', 'no space', { cause: error })
  throw error
}

function removeOneFile(path: string): void {
  const names = existsSync(path) && lstatSync(path).isDirectory() ? readdirSync(path, { recursive: true, encoding: 'utf8' }) : []
  const file = names.find(name => lstatSync(join(path, name)).isFile())
  if (file !== undefined) rmSync(join(path, file))
}

/** Does `budget` steps, then nothing any more: the process is dead. A file that is being copied is cut in half, of a folder that is being removed a file is gone. */
export class MortalDisk {
  steps = 0
  /** A folder that lies on a disk of its own. */
  foreign: string | null = null
  readonly #budget: number
  readonly #error: () => Error
  readonly disk: TreeDisk

  constructor(budget: number, error: () => Error = () => new Died('dead')) {
    this.#budget = budget
    this.#error = error
    const real = realTreeDisk
    this.disk = {
      makeFolder: path => this.step(() => real.makeFolder(path)),
      copyFile: (from, to) =>
        this.step(
          () => real.copyFile(from, to),
          () => writeFileSync(to, readFileSync(from).subarray(0, 3)),
        ),
      link: (target, path) => this.step(() => real.link(target, path)),
      setTimes: (path, atime, mtime) => this.step(() => real.setTimes(path, atime, mtime)),
      setMode: (path, mode) => this.step(() => real.setMode(path, mode)),
      syncFile: path => real.syncFile(path),
      syncFolder: path => real.syncFolder(path),
      rename: (from, to) => this.step(() => (this.#isAcross(from, to) ? Promise.reject(otherDisk()) : real.rename(from, to))),
      removeEmpty: path => this.step(() => real.removeEmpty(path)),
      removeTree: path =>
        this.step(
          () => real.removeTree(path),
          () => removeOneFile(path),
        ),
      write: (path, text) => this.step(() => real.write(path, text)).catch((error: unknown) => fullOrAsItIs(error)),
    }
  }

  #isAcross(from: string, to: string): boolean {
    const isIn = (path: string): boolean => this.foreign !== null && path.startsWith(this.foreign + sep)
    return isIn(from) !== isIn(to)
  }

  get isDead(): boolean {
    return this.steps > this.#budget
  }

  async step<T>(work: () => T | Promise<T>, half: () => void = () => undefined): Promise<T> {
    const wasDead = this.isDead
    this.steps++
    if (!this.isDead) return work()
    if (!wasDead) half()
    throw this.#error()
  }
}

/** Everything below a folder: kind, mode and bytes of each, times of files. */
export function picture(dir: string): Record<string, string> {
  const found: Record<string, string> = {}
  for (const path of readdirSync(dir, { recursive: true, encoding: 'utf8' }).sort()) {
    const at = join(dir, path)
    const stats = lstatSync(at)
    const mode = stats.mode.toString(8)
    if (stats.isSymbolicLink()) found[path] = `-> ${readlinkSync(at)}`
    else if (stats.isFile()) found[path] = `${mode} ${Math.round(stats.mtimeMs)} ${readFileSync(at, 'base64')}`
    else found[path] = mode
  }
  return found
}

export class Rig {
  readonly paths: HomePaths
  readonly log: string[] = []
  reserveBytes = 0

  /** @param good the app that ran until now; null: none */
  constructor(home: string, good: TestRelease | null, releases: readonly TestRelease[] = []) {
    this.paths = homePaths(home)
    for (const dir of [this.paths.slots, this.paths.data]) mkdirSync(dir, { recursive: true })
    for (const { digest, name, dataVersion } of good === null ? releases : [good, ...releases]) {
      mkdirSync(slotDir(home, digest), { recursive: true })
      const manifest = { schema: 1, kind: 'app', name, version: '1.0.0', platform: 'any', dataVersion, entry: 'index.js' }
      writeFileSync(join(slotDir(home, digest), 'shoal.json'), JSON.stringify(manifest))
    }
    this.good(good)
  }

  fill(): this {
    const { data } = this.paths
    mkdirSync(join(data, 'photos/2026'), { recursive: true })
    writeFileSync(join(data, 'till.db'), 'v1')
    writeFileSync(join(data, 'photos/2026/a.jpg'), Buffer.from([0, 255, 10, 13, 0]))
    writeFileSync(join(data, 'run.sh'), '#!/bin/sh\n')
    chmodSync(join(data, 'run.sh'), 0o755)
    chmodSync(join(data, 'photos'), 0o750)
    symlinkSync('till.db', join(data, 'latest'))
    mkdirSync(join(data, 'empty'))
    return this
  }

  good(app: TestRelease | null): void {
    this.#current({ app: app?.digest ?? null, state: 'good' })
  }

  trial(app: TestRelease, from: TestRelease | null, attempt = 1): void {
    const previous = { app: from?.digest ?? null, shoal }
    this.#current({ app: app.digest, state: 'trial', previous, trial: trialOf(app, attempt) })
  }

  #current(change: object): void {
    writeCurrent(this.paths.home, parseCurrent({ shoal, builtIn: shoal, ...change }))
  }

  /** The app starts in the probation of its switch, or for good. Its migration is one that must not be done twice. */
  start(
    app: TestRelease,
    trial: SwitchTarget | null,
    mortal = new MortalDisk(Infinity),
    broken: Error | null = null,
    last: (dir: string) => void = () => undefined,
  ): Promise<void> {
    return prepareData({
      paths: this.paths,
      app,
      trial,
      disk: mortal.disk,
      reserveBytes: this.reserveBytes,
      log: (_fields, event) => this.log.push(event),
      migrate: async from => {
        await mortal.step(() => appendFileSync(join(this.paths.data, 'till.db'), ` ${from ?? 'none'}>${app.dataVersion}`))
        if (broken !== null) throw broken
        await mortal.step(() => writeFileSync(join(this.paths.data, `new-in-${app.dataVersion}`), 'x'))
        last(this.paths.data)
      },
    })
  }

  settle(): void {
    settleData(this.paths)
  }

  get db(): string {
    return readFileSync(join(this.paths.data, 'till.db'), 'utf8')
  }

  get journal(): { readonly held: unknown; readonly migration: { readonly phase: string; readonly id: string } | null } {
    return JSON.parse(readFileSync(this.paths.dataJournal, 'utf8'))
  }

  /** What is in backups/, two levels deep. */
  get backups(): string[] {
    if (!existsSync(this.paths.backups)) return []
    return readdirSync(this.paths.backups, { encoding: 'utf8' }).flatMap(id =>
      readdirSync(join(this.paths.backups, id), { encoding: 'utf8' }).map(name => join(id, name)),
    )
  }
}
