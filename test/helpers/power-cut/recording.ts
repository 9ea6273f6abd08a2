/** Records what processes ask of the disk below a folder, by strace, and makes the homes that a power cut would have left. */
import { execFile, spawnSync } from 'node:child_process'
import {
  closeSync,
  cpSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { type CliResult, passphrase, type TestNode } from '../../e2e/fleet.ts'
import { contentOf, type Crashed, type Fate, type Known, RecordedDisk } from './disk.ts'
import { callsOf, changesOf, straceOptions, type Timed } from './trace.ts'

const boot = resolve('src/boot.js')
/** Files that nobody ever changes: they are linked, not copied. Only what has no other bytes than at first. */
const isLinked = (path: string): boolean => /\/instance\/(?:slots\/[0-9a-f]{64}\/|packages\/)/.test(path)

export class Recording {
  /** What is recorded: the folder of the homes. */
  readonly root: string
  readonly #dir: string
  readonly #traces: string[] = []
  readonly #marks: { readonly atMs: number; readonly what: string }[] = []
  readonly #known: readonly Known[]
  #changes: readonly Timed[] = []

  /** @param root as it is now is what the disk holds for sure; a copy of it is kept in `dir` */
  constructor(root: string, dir: string) {
    this.root = root
    this.#dir = dir
    cpSync(root, this.#base(), { recursive: true, preserveTimestamps: true })
    this.#known = knownIn(root)
  }

  /** Whether processes can be watched here. */
  static isPossible(): boolean {
    return spawnSync('strace', ['-f', '-o', '/dev/null', 'true']).status === 0
  }

  /** Runs the command, watched. What it said is marked when it has ended well. */
  async run(what: string, args: readonly string[], options: { readonly stdin?: string } = {}): Promise<CliResult> {
    const done = await new Promise<CliResult>(told => {
      const all = [...straceOptions, '-o', this.#trace(), process.execPath, boot, ...args]
      const env = { ...process.env, SHOAL_PASSPHRASE: passphrase, NODE_OPTIONS: '', NODE_COMPILE_CACHE: join(this.#dir, 'cache') }
      const child = execFile('strace', all, { env, maxBuffer: 64 << 20 }, (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 255
        told({ code, stdout, stderr, json: () => JSON.parse(stdout) as ReturnType<CliResult['json']> })
      })
      child.stdin?.end(options.stdin ?? '')
    })
    if (done.code !== 0) throw new Error(`${what}: exit ${done.code}\n${done.stderr}\n${done.stdout}`)
    this.mark(what)
    return done
  }

  /** From now on that is so, whatever happens. */
  mark(what: string): void {
    this.#marks.push({ atMs: Date.now(), what })
  }

  /** Starts the node, watched with all that it starts. Only `shoal stop` ends it in peace: a signal would meet its watcher. */
  start(node: TestNode): Promise<void> {
    node.watcher = ['strace', ...straceOptions, '-o', this.#trace()]
    return node.start()
  }

  /** Reads what was recorded; nothing may run any more. @returns how many changes there are */
  read(): readonly Timed[] {
    const calls = this.#traces.flatMap(trace => [...callsOf(readFileSync(trace, 'latin1').split('\n'))])
    this.#changes = changesOf(
      calls.toSorted((a, b) => a.atMs - b.atMs),
      this.root,
      readPart,
    )
    return this.#changes
  }

  /** What was so when the power went before that change. */
  saidBefore(cut: number): ReadonlySet<string> {
    const atMs = this.#changes[cut]?.atMs ?? Infinity
    return new Set(this.#marks.filter(mark => mark.atMs < atMs).map(mark => mark.what))
  }

  /** Puts a folder where it is not yet as `root` is after the cut, with changes before `cut` asked for. */
  crash(cut: number, fate: Fate, into: string): void {
    const disk = new RecordedDisk(this.#known, path => lstatSync(path).size)
    for (const change of this.#changes.slice(0, cut)) disk.apply(change)
    const below = `${this.root}/`
    mkdirSync(into, { recursive: true })
    for (const [path, each] of disk.crashed(fate)) if (path.startsWith(below)) this.#put(each, join(into, path.slice(below.length)))
  }

  #put(each: Crashed, path: string): void {
    if (each.kind === 'folder') {
      mkdirSync(path, { mode: each.mode })
      return
    }
    // What is below the root lies in the copy of it as it was.
    const placeOf = (source: string): string =>
      source.startsWith(`${this.root}/`) ? join(this.#base(), source.slice(this.root.length)) : source
    if (each.source !== null && each.edits.length === 0 && (isLinked(path) || !each.source.startsWith(this.root)))
      linkSync(placeOf(each.source), path)
    else
      writeFileSync(
        path,
        contentOf(each, source => readFileSync(placeOf(source))),
        { mode: each.mode },
      )
  }

  #base(): string {
    return join(this.#dir, 'base')
  }

  #trace(): string {
    const trace = join(this.#dir, `trace-${this.#traces.length}`)
    mkdirSync(dirname(trace), { recursive: true })
    this.#traces.push(trace)
    return trace
  }
}

function knownIn(root: string): readonly Known[] {
  const entries = readdirSync(root, { recursive: true, withFileTypes: true }).map(entry => join(entry.parentPath, entry.name))
  return [root, ...entries].flatMap((path): readonly Known[] => {
    const stats = lstatSync(path)
    if (stats.isDirectory()) return [{ path, mode: stats.mode & 0o7777, size: null }]
    return stats.isFile() ? [{ path, mode: stats.mode & 0o7777, size: stats.size }] : []
  })
}

function readPart(path: string, at: number, size: number): Buffer {
  if (!existsSync(path)) throw new Error(`${path} was copied from, and is not there any more`)
  const bytes = Buffer.alloc(size)
  const fd = openSync(path, 'r')
  readSync(fd, bytes, 0, size, at)
  closeSync(fd)
  return bytes
}
