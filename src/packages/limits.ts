/** Limits of packages: what a zip may claim, what unpacking may take. Frozen for ever with the zip rules (DESIGN section 8). */
import { maxPackageBytes } from '../model/index.ts'

export interface PackageLimits {
  /** Bytes of the zip itself. */
  readonly maxBytes: number
  /** Entries, shoal.json included. 60,000 empty files cost seconds and inodes. */
  readonly maxEntries: number
  /** Bytes of one unpacked file: it is held in memory once. */
  readonly maxFileBytes: number
  /** Bytes of all unpacked files together. */
  readonly maxUnpackedBytes: number
  /** Unpacked to packed, of the whole package, above `freeBytes`: text reaches about 20, bombs about 1000. */
  readonly maxRatio: number
  /** Below this sum of unpacked bytes the ratio does not matter. */
  readonly freeBytes: number
}

export const packageLimits: PackageLimits = {
  maxBytes: maxPackageBytes,
  maxEntries: 40_000,
  maxFileBytes: 256 << 20,
  maxUnpackedBytes: 1 << 30,
  maxRatio: 100,
  freeBytes: 16 << 20,
}

/** UTF-8 bytes of a path; with a home's prefix it stays far below what systems take. */
export const maxPathBytes = 400
/** UTF-8 bytes of one part of a path: what file systems take. */
export const maxPartBytes = 255
/** Parts of a path: nested node_modules reach about 16. */
export const maxPathParts = 32
/** Bytes of shoal.json. */
export const maxManifestBytes = 64 << 10

/** Entries from this size on are deflated in pieces. Sizes measured in research/distribution.md. */
export const pieceThreshold = 64 << 10
/** Smallest piece, except the last. */
export const minPieceBytes = 4 << 10
/** A cut where this many leading bits of the gear hash are zero: one in 32 KiB. */
export const pieceBits = 15
/** Largest piece. */
export const maxPieceBytes = 256 << 10
/** Smallest segment that a flush marker inside a deflated entry may end. */
export const minSegmentBytes = 1 << 10
/** Records of the zip's directory per segment: it is rebuilt from what is there, and a wrong guess costs one of these. */
export const recordsPerSegment = 128

/** Time for judging and unpacking; a package of 250 MB takes about 5 s. */
export const unpackDeadlineMs = 120_000
/** Time for an app's entry to be imported. */
export const importDeadlineMs = 20_000
/** Heap of the thread that judges and unpacks; file contents are outside of it. */
export const threadHeapMb = 256
/** Free space is looked at again after so many uploaded bytes. */
export const spaceCheckBytes = 8 << 20
/** Instances of dependencies in one package. */
export const maxDependencies = 5000
