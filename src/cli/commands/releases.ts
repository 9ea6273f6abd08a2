/** pack, publish, releases: from a folder to a signed release. Nothing runs by it. */
import { asArray, didYouMean, parsePlatform, ShoalError } from '../../model/index.ts'
import { pack, type Packed } from '../../packages/index.ts'
import { parseReleases, type ReleaseAnswer } from '../answers.ts'
import type { Context } from '../context.ts'
import { withDashboard } from '../dashboard.ts'
import { bytesText, oneLine, plural, table } from '../output.ts'
import { programDir } from '../program.ts'
import { publish, type Published } from '../publishing.ts'
import { findKey, signingOptions } from '../signing.ts'
import type { Args, CommandSpec, Outcome } from '../spec.ts'

/** Packs a folder as the command line says. */
export async function packFolder(context: Context, dir: string, out: string | undefined, platform: string | undefined): Promise<Packed> {
  return pack(context.path(dir), {
    signal: context.io.signal,
    ...(out === undefined ? {} : { out: context.path(out) }),
    ...(platform === undefined ? {} : { platform }),
  })
}

/** Packs Shoal itself: the program that runs this command, or the checkout, slot or unpacked zip in `dir`. */
async function packShoal(
  context: Context,
  dir: string | undefined,
  out: string | undefined,
  platform: string | undefined,
): Promise<Packed> {
  const program = dir === undefined ? programDir : context.path(dir)
  await withDashboard(context, program)
  return pack(program, {
    kind: 'shoal',
    signal: context.io.signal,
    ...(out === undefined ? {} : { out: context.path(out) }),
    ...(platform === undefined ? {} : { platform }),
  })
}

async function runPack(context: Context, args: Args): Promise<Outcome> {
  const platform = args.read('platform', parsePlatform, undefined)
  const { file, manifest, digest, size } = args.has('shoal')
    ? await packShoal(context, args.word(0), args.text('out'), platform)
    : await packFolder(context, args.need(0, 'folder'), args.text('out'), platform)
  return {
    document: { file, kind: manifest.kind, name: manifest.name, version: manifest.version, platform: manifest.platform, digest, size },
    text: [`${file}: ${manifest.name}@${manifest.version} for ${manifest.platform}, ${bytesText(size)}, sha256 ${digest}`],
  }
}

const publishedText = (p: Published): string =>
  `${p.name}@${p.version} for ${Object.keys(p.packages).join(', ')}${p.isNew ? ' is published; nothing runs it yet' : ' was published already'}`

async function runPublish(context: Context, args: Args): Promise<Outcome> {
  const files = args.words(0).map(file => context.path(file))
  const published = await publish(context, findKey(context, args), files, args.text('notes') ?? '')
  const [first] = published
  return {
    document: published.length === 1 && first !== undefined ? first : { releases: published },
    text: published.map(publishedText),
  }
}

async function list(context: Context): Promise<Outcome> {
  const document = await context.api().getAll('releases', 'releases')
  const rows = parseReleases(document).map(r => [
    oneLine(r.name),
    r.version,
    r.kind,
    [...r.packages.keys()].join(' '),
    plural(r.nodes, 'node'),
  ])
  const text =
    rows.length === 0
      ? ['nothing is published yet; `shoal deploy DIR` publishes and rolls out']
      : table(['name', 'version', 'kind', 'for', 'on'], rows, context.width)
  return { document, text }
}

/** `name@version`, where the name may be `@scope/name`. @throws ShoalError USAGE */
export function splitRelease(text: string): { name: string; version: string } {
  const at = text.lastIndexOf('@')
  if (at < 1 || at === text.length - 1) throw new ShoalError('USAGE', `"${text}" is no NAME@VERSION`)
  return { name: text.slice(0, at), version: text.slice(at + 1) }
}

const lines = (r: ReleaseAnswer): readonly string[] => [
  `${oneLine(r.name)}@${r.version}  ${r.kind}  on ${plural(r.nodes, 'node')}`,
  ...[...r.packages].map(([platform, digest]) => `  ${platform}  ${digest}`),
]

async function show(context: Context, args: Args): Promise<Outcome> {
  const { name, version } = splitRelease(args.need(0, 'release'))
  const answer = await context.api().getAll('releases', 'releases')
  const at = parseReleases(answer).findIndex(r => r.name === name && r.version === version)
  const found = parseReleases(answer)[at]
  if (found === undefined) {
    const names = parseReleases(answer).map(r => `${r.name}@${r.version}`)
    throw new ShoalError('UNKNOWN_RELEASE', `there is no release ${name}@${version}${didYouMean(`${name}@${version}`, names)}`)
  }
  return { document: asArray(answer['releases'], 'releases', 100_000)[at], text: lines(found) }
}

export const releaseCommands: readonly CommandSpec[] = [
  {
    path: 'pack',
    args: '[dir]',
    about: 'make a deterministic, judged zip of an app, or of Shoal itself',
    options: [
      { flags: '--shoal', about: 'pack this program with its Node.js; a folder names another checkout of it' },
      { flags: '--out <file>', about: 'the zip (default NAME-VERSION.zip here)' },
      { flags: '--platform <name>', about: 'mark it for a platform such as linux-x64, or any' },
    ],
    run: runPack,
  },
  {
    path: 'publish',
    args: '<file...>',
    about: 'sign releases and hand their packages to the node; nothing runs yet',
    options: [{ flags: '--notes <text>', about: 'what is new' }, ...signingOptions],
    run: runPublish,
  },
  { path: 'releases list', about: 'what is signed, and on how many nodes', isDefault: true, run: list },
  { path: 'releases show', args: '<name@version>', about: 'one release with its digests', run: show },
]
