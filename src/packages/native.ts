/** On which machines a package runs: native addons bind it to one, unless prebuilt Node-API addons for all of them travel with it. */
import { thisPlatform } from '../slots/index.ts'
import type { Target } from './package-json.ts'

/** Where a package without a platform of its own must run (DESIGN section 4). */
const everywhere = ['linux-x64', 'linux-arm64', 'win32-x64', 'darwin-arm64']
const prebuild = /^(.*\/prebuilds)\/([a-z0-9]+-[a-z0-9_]+)(?:\.node$|\/)/

/** This machine, as packing sees it. */
export interface Machine {
  /** `linux-x64`, `linuxmusl-x64` … */
  readonly platform: string
  /** process.versions.modules */
  readonly abi: string
}

export const isAddon = (path: string): boolean => path.endsWith('.node')

/** What a Node-API addon exports, or asks for where it registers itself: such a one runs on every later Node.js. */
const nodeApiMarks = ['napi_register_module_v1', 'napi_module_register']

/** @param bytes of an addon; both names stand in the tables of its symbols */
export const isNodeApi = (bytes: Buffer): boolean => nodeApiMarks.some(mark => bytes.includes(mark))

/** `any`; or this machine's platform, and its ABI unless every addon is of Node-API. `addons`: those of the package. */
export function targetOf(addons: readonly { readonly path: string; readonly isNodeApi: boolean }[], machine: Machine): Target {
  const platforms = new Map<string, Set<string>>()
  let isBound = false
  for (const { path } of addons) {
    const [, folder, platform] = prebuild.exec(`/${path}`) ?? []
    // prebuildify marks addons that are bound to one ABI in their name.
    if (folder === undefined || platform === undefined || /\.abi\d+\./.test(path)) isBound = true
    else platforms.set(folder, (platforms.get(folder) ?? new Set()).add(platform))
  }
  const isPortable = !isBound && platforms.values().every(found => everywhere.every(platform => found.has(platform)))
  if (isPortable) return { platform: 'any', abi: null }
  return { platform: machine.platform, abi: addons.every(each => each.isNodeApi) ? null : machine.abi }
}

/** The platform that a prebuilt addon is for; null: the file is none. */
export const platformOfPrebuild = (path: string): string | null => prebuild.exec(`/${path}`)?.[2] ?? null

/** Platform and ABI of the running process. */
export const thisMachine = (): Machine => ({ platform: thisPlatform(), abi: process.versions.modules })
