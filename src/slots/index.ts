/** The slots room: a home's paths, its slots, current.json, and writes that survive a power cut. */
export { advertised, dialable } from './addresses.ts'
export { installBuiltIn } from './builtin.ts'
export { keepCopy, readConfigFile } from './config-file.ts'
export {
  type Disk,
  type DiskSync,
  freeBytes,
  makeFolderSync,
  realDisk,
  realDiskSync,
  removeTree,
  renameDurable,
  renameDurableSync,
  writeDurable,
  writeDurableSync,
} from './durable.ts'
export { hasFileList, verifySlot } from './files.ts'
export { sweepUnfinished } from './litter.ts'
export { type HomePaths, homePaths } from './paths.ts'
export {
  endAtOnce,
  endGroup,
  endGroupOf,
  groupOf,
  hasModes,
  identityOf,
  isAlive,
  isDiskFull,
  isSameProcess,
  leftBehindBy,
  markedFor,
  isWindows,
  type ProcessIdentity,
  supervisorSocket,
  syncFlags,
  withGroup,
} from './platform.ts'
export { builtInCurrent, mendCurrent, readCurrent, writeCurrent } from './pointer.ts'
export {
  type Keeper,
  readRegistry,
  registryOf,
  type RunningSupervisor,
  runningSupervisor,
  supervisorSays,
  writeRegistry,
} from './running.ts'
export { entryOf, nodeBinaryOf, nodePackageName, readSlotManifest, removeSlot, slotDir, thisPlatform } from './slot.ts'
export { threadEnvironment } from './thread-environment.ts'
export { verifySlotAside } from './verify.ts'
