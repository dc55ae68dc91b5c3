import { mount } from 'svelte';
import App from './App.svelte';
import type { Door } from './backend/door';
import { App as State } from './lib/app.svelte';
import { tellUnhandled } from './lib/unhandled';
import './style.css';

async function door(): Promise<Door> {
  // the double never goes into what ships: the build knows the mode, and drops this branch
  if (import.meta.env.MODE === 'production') return (await import('./backend/tauri')).tauri;
  const { fromAddress } = await import('./backend/browser');
  return fromAddress(location.search);
}

const target = document.getElementById('app');
if (!target) throw new Error('index.html has no #app');
const app = new State(await door());
tellUnhandled(app, window);
mount(App, { target, props: { app } });
