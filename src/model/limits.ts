/** Limits that more than one room obeys; a room's own limits are in its own limits.ts. */

/** Port of a node that was told none. */
export const defaultPort = 8443
/** Lists and objects in one another, in any JSON from outside. */
export const maxJsonDepth = 64
/** Characters of one fact's body. Members carry whole envelopes; everything else is far smaller. */
export const maxFactBody = 16_384
/** Nodes of one control: its envelope must fit into a fact. */
export const maxControlNodes = 180
/** Characters of a root: some 500 people, or 200 with many who were removed; escaped in a frame it stays below the 256 KiB of one. */
export const maxRootText = 196_608
/** Facts of one writer; receipts and outcomes are kept as long as their orders. */
export const maxFactsPerOwner = 4096
/** Bytes of a signed document that is pulled by digest; a plan of 10,000 nodes is 0.6 MB. */
export const maxDocumentBytes = 4 << 20
/** Bytes of a package: adm-zip holds a whole zip in memory. */
export const maxPackageBytes = 256 << 20
/** Packages that a node says it holds, in one fact; it takes no more uploads then. */
export const maxHeldPackages = 200
/** How far a generation may jump above the highest known: stops a fast-forward to the end of the range. */
export const maxGenerationJump = 1000
/** Time that a started slot has to say `ready` (DESIGN section 4). */
export const readyTimeoutMs = 60_000
/** The most that one `host.hold` of an app may ask for, and all of one start together. */
export const maxHoldMs = 3_600_000
/** Probation of an app that asks for none. */
export const defaultProbationMs = 10_000
