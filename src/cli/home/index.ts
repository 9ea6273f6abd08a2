/** A home as the command line makes it, reads it, and takes it apart. */
export { fleetAtHome, nodeAtHome, readConfig, readHomeFile } from './at-home.ts'
export { enter } from './enter.ts'
export { found, type Founded, type FoundOptions } from './found.ts'
export { makeKit } from './kit.ts'
export { retire } from './retire.ts'
export type { NodeOptions } from './settings.ts'
export { checkHome } from './state.ts'
export { enterUnattended, givenToken } from './unattended.ts'
