/** Whatever was thrown, as the one line that a person reads. */
import type { Failure } from './types';

export function failure(reason: unknown): Failure {
  if (typeof reason === 'string') return { message: reason };
  if (typeof reason === 'object' && reason !== null && 'message' in reason) return { message: String(reason.message) };
  return { message: JSON.stringify(reason) };
}
