/** The data room: the app's data across a migration, the way back, backups and what is kept. */
export { type Backup, backupId, createBackup, type Origin, readBackup, verifyBackup } from './backup.ts'
export { realTreeDisk, type TreeDisk } from './disk.ts'
export { isSame, parseId, readJournal, type Swap } from './journal.ts'
export { isOf, type Kept, listKept } from './keeping.ts'
export { heldData, noteSwap, prepareData, settleData, snapshotBytes, undoSwap } from './migration.ts'
export { type DueMigration, dueMigration, makeRehearsalFolder, type Rehearsed, rehearseMigration } from './rehearsal.ts'
export { restorable, stageRestore } from './restore.ts'
export { snapshotId } from './snapshot.ts'
