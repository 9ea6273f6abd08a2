/** Limits of the facts room. */

/** Buckets of the digest: 256 sums of 8 bytes name what differs among 20,000 facts to about 80 (research: two levels suffice). */
export const bucketCount = 256
