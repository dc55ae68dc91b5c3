import { createContext } from 'svelte';
import type { App } from './app.svelte';

/** The application's state, set once by the outermost component. */
export const [getApp, setApp] = createContext<App>();

/** The types of entities of what is shown: of the open data set, or of the data of a run, as the screen says. */
export const [getTypes, setTypes] = createContext<() => readonly string[]>();
