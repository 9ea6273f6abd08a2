/** shoal.json, the first entry of every package: what the package is, before anything of it is run. */
import { asInteger, asOneOf, asString, Fields } from './parse.ts'
import { parseAppName, parsePlatform, parseVersion } from './units.ts'

export const packageKinds = ['app', 'shoal'] as const
export type PackageKind = (typeof packageKinds)[number]
export const parsePackageKind = (value: unknown, where = 'kind'): PackageKind => asOneOf(value, where, packageKinds)

/** Whether the old and the new release may run at once (`overlap`) or not (`exclusive`, the default). */
export const handovers = ['exclusive', 'overlap'] as const
export type Handover = (typeof handovers)[number]
export const parseHandover = (value: unknown, where = 'handover'): Handover => asOneOf(value, where, handovers)

export interface Manifest {
  readonly schema: 1
  readonly kind: PackageKind
  readonly name: string
  readonly version: string
  /** `any`, or the one platform that the package runs on. */
  readonly platform: string
  readonly engines: { readonly node?: string; readonly abi?: string }
  readonly dataVersion: number
  readonly minFrom: string | null
  readonly handover: Handover
  readonly probationMs: number | null
  /** Path inside the package of the module to load, with `/`. */
  readonly entry: string
}

export function parseManifest(value: unknown): Manifest {
  const f = new Fields(value, 'shoal.json')
  const engines = new Fields(f.raw('engines') ?? {}, 'shoal.json.engines')
  const text = (v: unknown, w: string): string => asString(v, w, 200)
  return {
    schema: f.get('schema', (v, w) => asInteger(v, w, 1, 1) as 1),
    kind: f.get('kind', parsePackageKind),
    name: f.get('name', parseAppName),
    version: f.get('version', parseVersion),
    platform: f.get('platform', parsePlatform),
    engines: {
      ...(engines.has('node') ? { node: engines.get('node', text) } : {}),
      ...(engines.has('abi') ? { abi: engines.get('abi', text) } : {}),
    },
    dataVersion: f.maybe('dataVersion', (v, w) => asInteger(v, w, 1, 1_000_000), 1),
    minFrom: f.maybe('minFrom', parseVersion, null),
    handover: f.maybe('handover', parseHandover, 'exclusive'),
    probationMs: f.maybe('probationMs', (v, w) => asInteger(v, w, 0, 86_400_000), null),
    entry: f.string('entry', 1000),
  }
}
