/** The data room: the app's data across a migration, and the way back. */
export { realTreeDisk, type TreeDisk } from './disk.ts'
export { isSame } from './journal.ts'
export { heldData, prepareData, settleData, snapshotBytes } from './migration.ts'
