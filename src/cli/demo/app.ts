/** Three releases of the example: as it is, the next version, and one that is ill: its health() rejects. */
import { cp, readFile, writeFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { inc } from 'semver'
import { Fields, parseJson, ShoalError } from '../../model/index.ts'
import { programDir } from '../program.ts'

export interface DemoApp {
  readonly dir: string
  readonly name: string
  readonly version: string
}

const ill = (entry: string): string => `import make from ${JSON.stringify(`./${entry.replace(/^\.\//, '')}`)}

export default async host => {
  const app = await make(host)
  return Object.assign(Object.create(app), { health: () => Promise.reject(new Error('this release is ill on purpose')) })
}
`

/** Copies the example with another version. @throws ShoalError NOT_FOUND where Shoal came without its examples */
async function copy(
  to: string,
  bumps: number,
  edit: (pkg: Readonly<Record<string, unknown>>) => Promise<Readonly<Record<string, unknown>>>,
): Promise<DemoApp> {
  const from = join(programDir, 'examples', 'hello')
  if (!existsSync(from)) throw new ShoalError('NOT_FOUND', `${from}: is not here; the demo needs a checkout of Shoal`)
  await cp(from, to, { recursive: true })
  const path = join(to, 'package.json')
  const pkg = new Fields(parseJson(await readFile(path, 'utf8'), path), path)
  let version = pkg.string('version', 64)
  for (let n = 0; n < bumps; n++) version = inc(version, 'minor') ?? version
  const plain = Object.fromEntries(pkg.keys().map(key => [key, pkg.raw(key)]))
  await writeFile(path, JSON.stringify(await edit({ ...plain, version })))
  return { dir: to, name: pkg.string('name', 200), version }
}

export async function demoApps(folder: string): Promise<{ readonly v1: DemoApp; readonly v2: DemoApp; readonly v3: DemoApp }> {
  const asItIs = (pkg: Readonly<Record<string, unknown>>): Promise<Readonly<Record<string, unknown>>> => Promise.resolve(pkg)
  const v3 = join(folder, 'v3')
  return {
    v1: await copy(join(folder, 'v1'), 0, asItIs),
    v2: await copy(join(folder, 'v2'), 1, asItIs),
    v3: await copy(v3, 2, async pkg => {
      const shoal = new Fields(pkg['shoal'], 'package.json.shoal')
      const plain = Object.fromEntries(shoal.keys().map(key => [key, shoal.raw(key)]))
      await writeFile(join(v3, 'ill.js'), ill(shoal.string('app', 1000)))
      return { ...pkg, shoal: { ...plain, app: './ill.js' } }
    }),
  }
}
