// Loaded before each test file: types are stripped once, not in each process and thread again. What a test starts is not told of it.
import { enableCompileCache } from 'node:module'

enableCompileCache('.tap/compile-cache')
