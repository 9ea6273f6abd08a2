/** export and import: releases, orders, plans and packages on a stick, for parts of a fleet that have no network between them. */
import { existsSync } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { asArray, asInteger, asString, Fields, parseDigest, parseFleetId, ShoalError } from '../../model/index.ts'
import { sha256 } from '../../trust/index.ts'
import { parseFleet, parseReleases } from '../answers.ts'
import type { Context } from '../context.ts'
import { bytesText, plural } from '../output.ts'
import type { Args, CommandSpec, Outcome } from '../spec.ts'
import { withBar } from '../upload-bar.ts'
import { rangeOf, readStick, type StickFile, type StickPart, writeStick } from '../stick-file.ts'

async function exportAll(context: Context, args: Args): Promise<Outcome> {
  context.requireNode()
  const path = context.path(args.need(0, 'file'))
  if (existsSync(path)) throw new ShoalError('CONFLICT', `${path}: there is such a file already`)
  const document = new Fields(await context.api().get('export'), 'export')
  const fleet = document.get('fleet', parseFleetId)
  const releases = parseReleases(await context.api().getAll('releases', 'releases'))
  const facts = Buffer.from(JSON.stringify({ fleet, facts: document.raw('facts'), plans: document.raw('plans') }))
  const parts: StickPart[] = [{ kind: 'facts', size: facts.length, sha256: sha256(facts), from: facts }]
  for (const digest of new Set(releases.flatMap(r => [...r.packages.values()]))) {
    const file = join(context.paths.packages, `${parseDigest(digest)}.zip`)
    // What this node never fetched, for another platform perhaps, somebody else exports.
    if (existsSync(file)) parts.push({ kind: 'package', size: (await stat(file)).size, sha256: parseDigest(digest), from: file })
  }
  const size = await writeStick(path, fleet, new Date().toISOString(), parts)
  const packages = parts.length - 1
  const count = asArray(document.raw('facts'), 'facts', 1_000_000).length
  return {
    document: { file: path, fleet, size, facts: count, packages },
    text: [`${path}: ${plural(count, 'fact')}, ${plural(packages, 'package')}, ${bytesText(size)}; next: shoal import there`],
  }
}

interface Facts {
  readonly fleet: unknown
  readonly facts: readonly unknown[]
  readonly plans: unknown
}

async function factsOf(path: string, file: StickFile): Promise<Facts> {
  const entry = file.entries.find(e => e.kind === 'facts')
  if (entry === undefined) throw new ShoalError('BAD_REQUEST', `${path}: holds no facts`)
  await using handle = await open(path, 'r')
  const { buffer } = await handle.read(Buffer.alloc(entry.size), 0, entry.size, entry.start)
  try {
    const f = new Fields(JSON.parse(buffer.toString('utf8')), path)
    return { fleet: f.raw('fleet'), facts: asArray(f.raw('facts'), 'facts', 500_000), plans: f.raw('plans') }
  } catch (cause) {
    throw new ShoalError('BAD_REQUEST', `${path}: its facts are no JSON`, { cause })
  }
}

const namesPackages = (fact: unknown): boolean =>
  ['root', 'member', 'removal', 'node', 'release'].includes(new Fields(fact, 'fact').string('kind', 32))

async function handIn(context: Context, path: string, packages: StickFile['entries']): Promise<number> {
  let sent = 0
  for (const entry of packages) {
    try {
      await withBar(context, entry.sha256.slice(0, 12), onSent =>
        context.api().upload(path, entry.sha256, { range: rangeOf(entry), onSent }),
      )
      sent += 1
    } catch (error) {
      // Of a release that the fleet has forgotten: its bytes are nobody's.
      if (!(error instanceof ShoalError) || error.code !== 'UNKNOWN_DIGEST') throw error
    }
  }
  return sent
}

async function importAll(context: Context, args: Args): Promise<Outcome> {
  const path = context.path(args.need(0, 'file'))
  const file = await readStick(path)
  const { fleet, name } = parseFleet(await context.api().get('fleet'))
  if (file.fleet !== fleet) throw new ShoalError('OTHER_FLEET', `${path}: is of fleet ${file.fleet}, ${name} is ${fleet}`)
  const all = await factsOf(path, file)
  // First whether all of it is good; then what names the packages, and these; last the orders, so that nobody looks elsewhere for them.
  await context.api().post('import', { ...all, check: true })
  await context.api().post('import', { ...all, facts: all.facts.filter(namesPackages), plans: [] })
  const packages = file.entries.filter(e => e.kind === 'package')
  const sent = await handIn(context, path, packages)
  const answer = new Fields(await context.api().post('import', all), 'answer')
  const facts = answer.get('facts', (v, w) => asInteger(v, w))
  const document = { file: path, fleet, at: asString(file.at, 'at', 40), facts, packages: sent }
  return { document, text: [`${plural(facts, 'fact')} were new, ${plural(sent, 'package')} handed in; the fleet goes on from here`] }
}

export const stickCommands: readonly CommandSpec[] = [
  { path: 'export', args: '<file>', about: 'write releases, orders and packages to a file, for a stick', run: exportAll },
  { path: 'import', args: '<file>', about: 'feed the fleet from such a file; all of it is verified', run: importAll },
]
