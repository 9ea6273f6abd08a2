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

/** `any`, or this machine's platform and ABI. `paths`: all files of the package. */
export function targetOf(paths: readonly string[], machine: Machine): Target {
  const platforms = new Map<string, Set<string>>()
  for (const path of paths.filter(p => p.endsWith('.node'))) {
    const [, folder, platform] = prebuild.exec(`/${path}`) ?? []
    // prebuildify marks addons that are bound to one ABI in their name.
    if (folder === undefined || platform === undefined || /\.abi\d+\./.test(path)) return machine
    platforms.set(folder, (platforms.get(folder) ?? new Set()).add(platform))
  }
  const isPortable = platforms.values().every(found => everywhere.every(platform => found.has(platform)))
  return isPortable ? { platform: 'any', abi: null } : machine
}

/** The platform that a prebuilt addon is for; null: the file is none. */
export const platformOfPrebuild = (path: string): string | null => prebuild.exec(`/${path}`)?.[2] ?? null

/** Platform and ABI of the running process. */
export const thisMachine = (): Machine => ({ platform: thisPlatform(), abi: process.versions.modules })
