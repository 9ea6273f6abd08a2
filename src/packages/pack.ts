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
import { checkImport, checkProgram } from './import-check.ts'
import { judgePackage } from './judge.ts'
import { isAddon, isNodeApi, targetOf, thisMachine } from './native.ts'
import { appManifest, readPackageJson, shoalManifest, type Target } from './package-json.ts'
import { shoalFiles } from './shoal-files.ts'
import { unpackPackage } from './unpack.ts'
import { type PackFile, writeZip } from './zip-writer.ts'

export interface PackOptions {
  /** `app` by default; `shoal`: `dir` is a checkout, a slot or an unpacked zip of Shoal, packed with its Node.js. */
  readonly kind?: PackageKind
  /** Path of the zip; `<name>-<version>.zip` (of Shoal `shoal-<version>-<platform>.zip`) in the current folder if none is given. */
  readonly out?: string
  /** For this platform instead of the one found out. The entry is not imported then, unless it is this machine's. */
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
  const { manifest, files } = await (options.kind === 'shoal' ? ofShoal : ofApp)(root, options)
  const out = resolve(
    options.out ?? `${zipNameOf(manifest)}-${manifest.version}${manifest.kind === 'shoal' ? `-${manifest.platform}` : ''}.zip`,
  )
  const packed = files.filter(f => resolve(root, f.path) !== out && !isEarlierZip(f.path, zipNameOf(manifest)))
  const bytes = await writeZip(`${JSON.stringify(manifest, null, 2)}\n`, packed, options.signal)
  judgePackage(bytes)
  await prove(bytes, manifest, options)
  await writeDurable(out, bytes)
  return { file: out, manifest, digest: sha256Hex(bytes), size: bytes.length }
}

const zipNameOf = ({ name }: Manifest): string => name.replace('@', '').replace('/', '-')

async function rootOf(dir: string): Promise<string> {
  try {
    return await realpath(dir)
  } catch (cause) {
    throw new ShoalError('NOT_AN_APP', `${dir}: there is no such folder (${systemCodeOf(cause) ?? 'unreadable'})`, { cause })
  }
}

interface Contents {
  readonly manifest: Manifest
  readonly files: readonly PackFile[]
}

async function ofApp(root: string, options: PackOptions): Promise<Contents> {
  const pkg = readPackageJson(root)
  const { entry } = appManifest(pkg, { platform: 'any', abi: null })
  const [app, ...dependencies] = productionTree(root, pkg)
  const own = app === undefined ? [] : await filesOf(app, entry)
  const others = await Promise.all(dependencies.map(each => filesOf(each)))
  const files = [...own, ...others.flat()]
  return { manifest: appManifest(pkg, targetFor(files, options)), files }
}

async function ofShoal(root: string, options: PackOptions): Promise<Contents> {
  const pkg = readPackageJson(root)
  const platform = parsePlatform(options.platform ?? thisMachine().platform)
  const { files, ...found } = await shoalFiles(root, pkg, platform)
  return { manifest: shoalManifest(pkg, { platform, ...found }), files }
}

/** A zip of the same name that an earlier run left in the folder. */
const isEarlierZip = (path: string, zipName: string): boolean => path.startsWith(`${zipName}-`) && /^[^/]*\.zip$/.test(path)

function targetFor(files: readonly PackFile[], { platform }: PackOptions): Target {
  const addons = files.filter(({ path }) => isAddon(path))
  const found = targetOf(
    addons.map(each => ({ path: each.path, isNodeApi: isNodeApi(Buffer.from(each.read())) })),
    thisMachine(),
  )
  return { platform: platform === undefined ? found.platform : parsePlatform(platform), abi: found.abi }
}

/** Unpacks as a node does, into a temporary folder, and imports what a node will start from there, if this machine can. */
async function prove(bytes: Uint8Array, manifest: Manifest, { importCheck, signal }: PackOptions): Promise<void> {
  const temp = await mkdtemp(join(tmpdir(), 'shoal-pack-'))
  const runsHere = manifest.platform === 'any' || manifest.platform === thisMachine().platform
  try {
    const file = join(temp, 'package.zip')
    await writeFile(file, bytes)
    const slot = join(temp, 'slot')
    await unpackPackage(file, slot, { expect: sha256Hex(bytes), isDurable: false, ...(signal === undefined ? {} : { signal }) })
    if (importCheck === false || !runsHere) return
    if (manifest.kind === 'shoal') await checkProgram(slot, manifest.entry, signal)
    else await checkImport(join(slot, manifest.entry), signal)
  } finally {
    await removeTree(temp)
  }
}
