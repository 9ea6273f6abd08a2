/**
 * config get, set and edit: the keys of config.json. A value is JSON, or else a text; the whole file is judged before it is written, by
 * the node itself if it runs, which takes it at its next restart.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type Config,
  didYouMean,
  formatConfig,
  messageOf,
  parseConfig,
  parseJson,
  requireAppSettings,
  ShoalError,
} from '../../model/index.ts'
import { removeTree, runningSupervisor, writeDurable } from '../../slots/index.ts'
import { readConfig } from '../home/index.ts'
import type { Context } from '../context.ts'
import { type Args, asUsage, type CommandSpec, type Outcome } from '../spec.ts'

/** The value under a path such as `limits.uploads`. */
function at(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((found, key) => (isObject(found) && Object.hasOwn(found, key) ? found[key] : undefined), value)
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** A copy with one value replaced. */
function replaced(value: unknown, [key, ...rest]: readonly string[], by: unknown): unknown {
  if (key === undefined) return by
  const object = isObject(value) ? value : {}
  return Object.fromEntries([...Object.entries(object).filter(([name]) => name !== key), [key, replaced(object[key], rest, by)]])
}

/** @throws ShoalError NOT_FOUND for what config.json does not have; below `app` every key is the app's own */
function pathOf(context: Context, key: string): readonly string[] {
  const path = key.split('.')
  const config = readConfig(context.paths)
  const isKnown = path[0] === 'app' || (path.length <= 2 && at(config, path) !== undefined)
  if (!isKnown || path.includes(''))
    throw new ShoalError('NOT_FOUND', `config.json has no key ${key}${didYouMean(key, Object.keys(config))}`)
  return path
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value, null, 2))

function get(context: Context, args: Args): Outcome {
  context.requireNode()
  const key = args.word(0)
  const config = readConfig(context.paths)
  if (key === undefined) return { document: config, text: [formatConfig(config).trimEnd()] }
  const value = at(config, pathOf(context, key)) ?? null
  return { document: { key, value }, text: [textOf(value)] }
}

/** A list may be written with commas. */
function read(text: string, before: unknown): unknown {
  try {
    const value = JSON.parse(text) as unknown
    // A name such as `42` is a text where a text was.
    return typeof before === 'string' && typeof value !== 'string' ? text : value
  } catch {
    return Array.isArray(before)
      ? text
          .split(',')
          .map(each => each.trim())
          .filter(each => each !== '')
      : text
  }
}

async function set(context: Context, args: Args): Promise<Outcome> {
  context.requireNode()
  const key = args.need(0, 'key')
  const path = pathOf(context, key)
  const before = readConfig(context.paths)
  const value = read(args.need(1, 'value'), at(before, path))
  const after = asUsage(() => judged(replaced(before, path, value)))
  await write(context, before, after)
  const needsRestart = formatConfig(before) !== formatConfig(after)
  return {
    document: { key, value: at(after, path) ?? null, restart: needsRestart },
    text: [`${key} = ${textOf(at(after, path))}`, needsRestart ? 'a running node takes it with `shoal restart`' : 'it was so already'],
  }
}

/** @throws ShoalError BAD_REQUEST that names the key */
function judged(value: unknown): Config {
  const config = parseConfig(value)
  requireAppSettings(config)
  return config
}

/** A node that runs writes it itself: in the probation of a release it goes back from what anybody else changes there. */
async function write(context: Context, before: Config, after: Config): Promise<void> {
  if (await isServing(context)) await context.api().post('config', { config: after, before })
  else await writeDurable(context.paths.config, formatConfig(after))
}

const isServing = async (context: Context): Promise<boolean> =>
  (await runningSupervisor(context.paths)) !== null && (await context.api().probe('livez')) !== null

/** The person's editor, on a copy: what it leaves is judged before it counts. A copy that is refused stays, so that no typing is lost. */
async function edit(context: Context): Promise<Outcome> {
  context.requireNode()
  if (!context.isTerminal) throw new ShoalError('USAGE', 'config edit needs a terminal; `shoal config set KEY VALUE` does not')
  const before = readConfig(context.paths)
  const folder = await mkdtemp(join(tmpdir(), 'shoal-config-'))
  const copy = join(folder, 'config.json')
  await writeDurable(copy, formatConfig(before), 0o600)
  await runEditor(context, copy)
  const after = edited(await readFile(copy, 'utf8'), copy)
  const isChanged = formatConfig(after) !== formatConfig(before)
  if (isChanged && formatConfig(readConfig(context.paths)) !== formatConfig(before))
    throw new ShoalError('CONFLICT', `${context.paths.config}: somebody changed it meanwhile; your text is in ${copy}`)
  if (isChanged) await write(context, before, after)
  await removeTree(folder)
  return {
    document: { config: after, restart: isChanged },
    text: [isChanged ? 'written; a running node takes it with `shoal restart`' : 'nothing was changed'],
  }
}

async function runEditor(context: Context, file: string): Promise<void> {
  const { env, signal } = context.io
  const words = (env['VISUAL'] ?? env['EDITOR'] ?? (process.platform === 'win32' ? 'notepad' : 'vi')).split(' ').filter(w => w !== '')
  const [program = 'vi', ...rest] = words
  try {
    const child = spawn(program, [...rest, file], { stdio: 'inherit', signal })
    const [code] = (await once(child, 'exit')) as [number | null]
    if (code !== 0) throw new ShoalError('CANCELLED', `${program} ended with ${code ?? 'a signal'}; config.json is as it was`)
  } catch (cause) {
    if (cause instanceof ShoalError) throw cause
    throw new ShoalError('NOT_FOUND', `the editor ${program} does not start (${messageOf(cause)}); EDITOR names another`, { cause })
  }
}

/** @throws ShoalError BAD_REQUEST that names the copy */
function edited(text: string, copy: string): ReturnType<typeof parseConfig> {
  try {
    return judged(parseJson(text, 'config.json'))
  } catch (cause) {
    throw new ShoalError('BAD_REQUEST', `${messageOf(cause)}\nconfig.json is as it was; your text is in ${copy}`, { cause })
  }
}

export const configCommands: readonly CommandSpec[] = [
  { path: 'config get', args: '[key]', about: 'a key of config.json, or all of it', isDefault: true, run: get },
  { path: 'config set', args: '<key> <value>', about: 'change a key; a running node takes it at its next restart', run: set },
  { path: 'config edit', about: 'edit config.json with your editor (VISUAL, EDITOR); it is judged before it is written', run: edit },
]
