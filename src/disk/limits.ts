/** Limits of the disk room. */

/** What `blocks` of a file's status counts in, bytes (POSIX). */
export const blockBytes = 512
/** ms that a package may lie here before somebody signs for it. */
export const unsignedMs = 86_400_000
/** ms after which what nobody writes to any more is litter. */
export const litterMs = 3_600_000
