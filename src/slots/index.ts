/** The slots room: a home's paths, its slots, current.json, and writes that survive a power cut. */
export { installBuiltIn } from './builtin.ts'
export { keepCopy, readConfigFile } from './config-file.ts'
export {
  type Disk,
  type DiskSync,
  freeBytes,
  realDisk,
  realDiskSync,
  removeTree,
  renameDurable,
  writeDurable,
  writeDurableSync,
} from './durable.ts'
export { hasFileList, verifySlot } from './files.ts'
export { type HomePaths, homePaths } from './paths.ts'
export { builtInCurrent, mendCurrent, readCurrent, writeCurrent } from './pointer.ts'
export { entryOf, nodeBinaryOf, nodePackageName, pruneSlots, readSlotManifest, slotDir, thisPlatform } from './slot.ts'
export { verifySlotAside } from './verify.ts'
