/** Packages: what the judge takes, every other reader of zips must see the same of, and nothing of it may lie outside of its folder. */
import assert from 'node:assert/strict'
import { isAbsolute, posix } from 'node:path'
import AdmZip from 'adm-zip'
import { judgeContents } from '../../src/packages/contents.ts'
import { judgePackage, packageLimits } from '../../src/packages/index.ts'
import type { Random } from '../helpers/random.ts'
import { app, buildZip, manifestText, type Spec } from '../helpers/zip-builder.ts'
import { mutateBytes, mutateJson } from './mutate.ts'
import type { Target } from './target.ts'

const limits = { ...packageLimits, maxUnpackedBytes: 1 << 20 }
const files: readonly Spec[] = [app, { path: 'lib/a.js', data: 'a'.repeat(500), method: 8 }, { path: 'lib/b/ü.txt', data: '' }]
const good = buildZip([{ path: 'shoal.json', data: manifestText() }, ...files])

function read(bytes: Buffer): void {
  const judged = judgePackage(bytes, limits)
  judgeContents(bytes, judged)
  const seen = new AdmZip(bytes, { noSort: true }).getEntries()
  assert.deepEqual(
    seen.map(entry => entry.entryName),
    judged.entries.map(entry => entry.path),
  )
  for (const [at, { path, size }] of judged.entries.entries()) {
    assert.ok(!isAbsolute(path) && posix.normalize(path) === path && !path.startsWith('..'), path)
    assert.doesNotMatch(path, /^(?:instance|certs)\//i)
    assert.equal(seen[at]?.getData().length, size)
  }
}

const names = [
  '../x',
  '/etc/x',
  'a\\b',
  'lib/../x',
  'instance/x',
  'CERTS/y',
  'lib/A.js',
  'con',
  'con .txt',
  'a:b',
  'a.',
  'x\u0000',
  '',
  'lib',
  'ü.js',
  'z'.repeat(300),
]
const numbers = [0, 1, 8, 9, 20, 0x0800, 0x0801, 0xffff, 0xffff_ffff]
const fields = ['method', 'flags', 'time', 'date', 'crc', 'size', 'compressedSize', 'madeBy', 'attributes', 'disk', 'offset'] as const
/** Two bytes wide; the others have four. */
const narrow: readonly string[] = ['method', 'flags', 'time', 'date', 'madeBy', 'disk']

/** One file of the package told otherwise: in its name, or in a field of one or both of its records. */
function oddSpec(spec: Spec, random: Random): Spec {
  if (random.chance(0.3)) return { ...spec, path: random.pick(names) }
  const field = random.pick(fields)
  const value = random.pick(numbers) % (narrow.includes(field) ? 0x1_0000 : 0x1_0000_0000)
  const odd = { [field]: field === 'madeBy' ? value & 255 : value }
  if (random.chance(0.1)) return { ...spec, extra: Buffer.from('UT\u0004\u0000abcd', 'latin1') }
  return random.chance(0.5) ? { ...spec, local: odd } : { ...spec, ...odd }
}

/** Written by somebody who knows the format, with right checksums where they do not lie. */
function oddZip(random: Random): Buffer {
  const manifest = random.chance(0.3) ? mutateJson(JSON.parse(manifestText()), random) : manifestText()
  const specs = [{ path: 'shoal.json', data: manifest }, ...files].map(spec => (random.chance(0.3) ? oddSpec(spec, random) : spec))
  return buildZip(random.chance(0.1) ? random.shuffle(specs) : specs)
}

export const packageTargets: readonly Target[] = [
  {
    name: 'package',
    accepts: () => read(good),
    try: random => read(random.chance(0.4) ? mutateBytes(good, random) : oddZip(random)),
  },
]
