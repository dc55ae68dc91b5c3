import { createContext } from 'svelte';
import type { App } from './app.svelte';

/** The application's state, set once by the outermost component. */
export const [getApp, setApp] = createContext<App>();
