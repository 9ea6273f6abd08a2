// eslint-disable-next-line @typescript-eslint/no-explicit-any -- answers that a test looks into: what is not there fails its assertion
export type Json = any
