/** Refused for now: goes out with `Retry-After`. */
import { type Code, ShoalError } from '../model/index.ts'

export class RetryLater extends ShoalError {
  readonly afterMs: number
  constructor(code: Code, message: string, afterMs: number) {
    super(code, message)
    this.afterMs = afterMs
  }
}
