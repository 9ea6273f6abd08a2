/**
 * Packing: an app's folder (or Shoal's own) becomes a deterministic zip that is judged, unpacked and imported exactly as a node will do
 * it, before it gets its name.
 */
import { mkdtemp, realpath, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { type Digest, type Manifest, type PackageKind, parsePlatform, ShoalError, systemCodeOf } from '../model/index.ts'
import { removeTree, writeDurable } from '../slots/index.ts'
import { filesOf } from './app-files.ts'
import { sha256Hex } from './blockmap.ts'
import { productionTree } from './dependencies.ts'
import { checkImport } from './import-check.ts'
import { judgePackage } from './judge.ts'
import { targetOf, thisMachine } from './native.ts'
import { appManifest, readPackageJson, shoalManifest, type Target } from './package-json.ts'
import { unpackPackage } from './unpack.ts'
import { type PackFile, writeZip } from './zip-writer.ts'

export interface PackOptions {
  /** `app` by default; `shoal` packs this program with the Node.js that is among its optional dependencies. */
  readonly kind?: PackageKind
  /** Path of the zip; `<name>-<version>.zip` in the current folder if none is given. */
  readonly out?: string
  /** Marks the package for this platform instead of the one found out. The entry is not imported then, unless it is this machine's. */
  readonly platform?: string
  /** false: do not import the entry. */
  readonly importCheck?: boolean
  readonly signal?: AbortSignal
}

export interface Packed {
  readonly file: string
  readonly manifest: Manifest
  readonly digest: Digest
  readonly size: number
}

/** @throws ShoalError NOT_AN_APP, BAD_VERSION, PACKAGE_REJECTED, APP_IMPORT_FAILED, DISK_FULL; then there is no file */
export async function pack(dir: string, options: PackOptions = {}): Promise<Packed> {
  const root = await rootOf(dir)
  const pkg = readPackageJson(root)
  const manifestFor = (target: Target): Manifest => (options.kind === 'shoal' ? shoalManifest : appManifest)(pkg, target)
  const draft = manifestFor({ platform: 'any', abi: null })
  const zipName = draft.name.replace('@', '').replace('/', '-')
  const out = resolve(options.out ?? `${zipName}-${draft.version}.zip`)
  const files = (await collect(root, draft.entry)).filter(f => resolve(root, f.path) !== out && !isEarlierZip(f.path, zipName))
  const manifest = manifestFor(targetFor(files, options))
  const bytes = await writeZip(`${JSON.stringify(manifest, null, 2)}\n`, files, options.signal)
  judgePackage(bytes)
  await prove(bytes, importOf(manifest, options), options.signal)
  await writeDurable(out, bytes)
  return { file: out, manifest, digest: sha256Hex(bytes), size: bytes.length }
}

async function rootOf(dir: string): Promise<string> {
  try {
    return await realpath(dir)
  } catch (cause) {
    throw new ShoalError('NOT_AN_APP', `${dir}: there is no such folder (${systemCodeOf(cause) ?? 'unreadable'})`, { cause })
  }
}

async function collect(root: string, entry: string): Promise<readonly PackFile[]> {
  const [app, ...dependencies] = productionTree(root, readPackageJson(root))
  const own = app === undefined ? [] : await filesOf(app, entry)
  const others = await Promise.all(dependencies.map(each => filesOf(each)))
  return [...own, ...others.flat()]
}

/** A zip of the same name that an earlier run left in the folder. */
const isEarlierZip = (path: string, zipName: string): boolean => path.startsWith(`${zipName}-`) && /^[^/]*\.zip$/.test(path)

function targetFor(files: readonly PackFile[], { kind, platform }: PackOptions): Target {
  const machine = thisMachine()
  const wanted = platform === undefined ? undefined : parsePlatform(platform)
  // Shoal brings its own Node.js, which is of one platform and fits its addons.
  if (kind === 'shoal') return { platform: wanted ?? machine.platform, abi: null }
  const found = targetOf(
    files.map(f => f.path),
    machine,
  )
  return { platform: wanted ?? found.platform, abi: found.abi }
}

/** The entry that is to be imported here, or null. */
function importOf(manifest: Manifest, options: PackOptions): string | null {
  const runsHere = manifest.platform === 'any' || manifest.platform === thisMachine().platform
  return manifest.kind === 'app' && options.importCheck !== false && runsHere ? manifest.entry : null
}

/** Unpacks as a node does, into a temporary folder, and imports the entry from there. */
async function prove(bytes: Uint8Array, entry: string | null, signal: AbortSignal | undefined): Promise<void> {
  const temp = await mkdtemp(join(tmpdir(), 'shoal-pack-'))
  try {
    const file = join(temp, 'package.zip')
    await writeFile(file, bytes)
    const slot = join(temp, 'slot')
    await unpackPackage(file, slot, { expect: sha256Hex(bytes), isDurable: false, ...(signal === undefined ? {} : { signal }) })
    if (entry !== null) await checkImport(join(slot, entry), signal)
  } finally {
    await removeTree(temp)
  }
}
