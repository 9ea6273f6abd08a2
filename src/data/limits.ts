/** Limits of the data room. */

/** Files that are copied or fsynced at once; more only fills the thread pool's queue. */
export const filesAtOnce = 16
/** What a file takes on a disk is a multiple of this, bytes. */
export const blockBytes = 4096
/** Characters of data.json; a real one has about 500. */
export const maxJournalLength = 65_536
/** Snapshots that the journal knows by their sequence; what is older is found by `backup list` only. */
export const maxSnapshots = 32
/** Characters of an app's name in the name of a backup: a file's name may have 255 bytes. */
export const maxNameLength = 80
/** Bytes read at once while a file is hashed. */
export const hashChunkBytes = 1 << 20
/** Characters of a backup's head: its symbolic links are in it. */
export const maxHeadLength = 16 << 20
/** Problems that are told of a damaged backup. */
export const maxProblems = 100
