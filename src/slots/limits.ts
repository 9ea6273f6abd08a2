/** Limits of the slots room. */

/** How long a rename is tried again while somebody holds the old file open (Windows: indexers, virus scanners): in all about 2 s. */
export const renameRetryMs: readonly number[] = [10, 20, 30, 50, 50, 100, 100, 200, 200, 300, 400, 500]
/** Files of a program that are hashed and linked at once; more only fills the thread pool's queue. */
export const filesAtOnce = 16
/** Bytes read at once while a file is hashed. */
export const hashChunkBytes = 1 << 20
/** Files that are hashed whole in memory; the Node.js binary is not. */
export const wholeFileBytes = 4 << 20
/** Characters of current.json and of its copy; a real one has about 3,000. */
export const maxCurrentLength = 65_536
/** Characters of files.json: 20,000 files. */
export const maxFileListLength = 4 << 20
/** ms that the check of a whole slot may take, on the slowest disk. */
export const verifyDeadlineMs = 300_000
/** ms in which a supervisor that lives says how it is. */
export const supervisorAnswerMs = 1000
