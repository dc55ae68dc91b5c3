/** What nobody handled is told all the same: a click that does nothing, and says nothing, is worse than any message. */
import { failure } from '../backend/failure';
import type { App } from './app.svelte';

export function tellUnhandled(app: App, from: Window): void {
  const tell = (reason: unknown): void => {
    const { message } = failure(reason);
    // what fails again and again is said once as long as it is on show
    if (!app.toasts.some((toast) => toast.text === message)) app.tell(message, { bad: true });
  };
  from.addEventListener('unhandledrejection', (event) => tell(event.reason));
  // without an error it is the browser's own note, as of a layout that it put off
  from.addEventListener('error', (event) => {
    if (event.error !== null && event.error !== undefined) tell(event.error);
  });
}
