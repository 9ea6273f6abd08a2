/**
 * Imports an app's entry once, in a process of its own with the same Node.js: what would fail at every node's start fails at packing.
 * The process is ended after its answer or its deadline, whatever the app does at import.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Fields, ShoalError } from '../model/index.ts'
import { nodeBinaryOf } from '../slots/index.ts'
import { importDeadlineMs } from './limits.ts'

/** Run by the child; answers over IPC, since the app may print. */
const program = `
const say = answer => process.send(answer, () => process.exit(0))
process.on('uncaughtException', e => say({ error: String(e?.stack ?? e) }))
Promise.all(process.argv.slice(1).map(file => import(file))).then(
  ([m]) => say({ type: typeof m.default }),
  e => say({ error: String(e?.stack ?? e) }),
)`

/**
 * @param file the entry of an unpacked package
 * @throws ShoalError APP_IMPORT_FAILED with the app's message, also if it takes longer than 20 s or exports no function
 */
export async function checkImport(file: string, signal?: AbortSignal, deadlineMs = importDeadlineMs): Promise<void> {
  const type = await importAll(process.execPath, [file], signal, deadlineMs)
  if (type === 'function') return
  throw failed(`the entry's default export is ${type === 'undefined' ? 'missing' : `a ${type}`}, expected a function`)
}

/**
 * Imports supervisor, worker and command line of an unpacked Shoal with the Node.js that it brings.
 * @throws ShoalError APP_IMPORT_FAILED
 */
export async function checkProgram(slot: string, entry: string, signal?: AbortSignal): Promise<void> {
  const ending = entry.endsWith('.js') ? 'js' : 'ts'
  const files = ['supervisor/index', 'main', 'cli/main'].map(name => join(slot, 'src', `${name}.${ending}`))
  await importAll(nodeBinaryOf(slot) ?? process.execPath, files, signal, importDeadlineMs)
}

/** Type of the first module's default export. */
async function importAll(node: string, files: readonly string[], signal: AbortSignal | undefined, deadlineMs: number): Promise<string> {
  signal?.throwIfAborted()
  const child = spawn(node, ['--input-type=module', '-e', program, ...files.map(file => pathToFileURL(file).href)], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    env: {},
  })
  const deadline = AbortSignal.timeout(deadlineMs)
  const limit = signal === undefined ? deadline : AbortSignal.any([signal, deadline])
  const kill = (): boolean => child.kill('SIGKILL')
  limit.addEventListener('abort', kill)
  const heard: { answer?: unknown; errors: string } = { errors: '' }
  child.on('message', message => (heard.answer ??= message))
  child.stderr?.on('data', (chunk: Buffer) => (heard.errors = (heard.errors + chunk.toString()).slice(-2000)))
  try {
    // Not 'close': a grandchild may hold the pipe open for ever. After 'disconnect' every message has been heard.
    const exited = once(child, 'exit')
    await once(child, 'disconnect')
    const [code] = (await exited) as [number | null]
    signal?.throwIfAborted()
    return typeIn(heard.answer, deadline.aborted ? `did not end within ${deadlineMs / 1000} s` : `exit ${code}: ${heard.errors}`)
  } finally {
    limit.removeEventListener('abort', kill)
    kill()
    child.stderr?.destroy()
  }
}

const failed = (message: string): ShoalError => new ShoalError('APP_IMPORT_FAILED', message.slice(0, 1000))

function typeIn(answer: unknown, otherwise: string): string {
  if (answer === undefined) throw failed(`the entry, imported, ${otherwise}`)
  const f = new Fields(answer, 'answer')
  if (f.has('error')) throw failed(f.string('error', 1 << 20))
  return f.string('type', 20)
}
