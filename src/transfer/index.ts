/** Transfer: fetching packages from peers, serving them to peers. */
export { fetchPackage } from './fetch-package.ts'
export { createPackageServer, type PackageServer } from './package-server.ts'
export type { PeerRequest } from './peer-request.ts'
export { parseRange } from './range-header.ts'
export type { Fetched } from './tally.ts'
