/** The window over a double, and what a person does in it. */
import { cleanup, fireEvent, render, screen, within } from '@testing-library/svelte';
import axe from 'axe-core';
import { afterEach } from 'vitest';
import AppView from '../src/App.svelte';
import { Double, type DoubleOptions } from '../src/backend/double';
import { App } from '../src/lib/app.svelte';

let clicked = 0;

/** Clicks since the window was opened. */
export function clicks(): number {
  return clicked;
}

export async function click(element: HTMLElement): Promise<void> {
  clicked += 1;
  await fireEvent.click(element);
}

export async function open(options: DoubleOptions = {}): Promise<{ app: App; door: Double }> {
  clicked = 0;
  const door = new Double({ pace: 0, settings: { language: 'en' }, ...options });
  const app = new App(door);
  render(AppView, { app });
  await screen.findByRole('navigation');
  return { app, door };
}

/** Comes to a screen by its name. */
export async function go(name: string): Promise<void> {
  await click(within(screen.getByRole('navigation')).getByRole('button', { name: new RegExp(`^${name}`) }));
}

export async function complaints(): Promise<string[]> {
  // jsdom lays nothing out: contrast is held by `npm run look` in a browser
  const { violations } = await axe.run(document.body, { iframes: false, rules: { 'color-contrast': { enabled: false } } });
  return violations.map((v) => `${v.id}: ${v.nodes[0]?.html ?? ''}`);
}

afterEach(() => {
  cleanup();
  document.body.innerHTML = '';
});
