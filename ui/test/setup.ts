import '@testing-library/svelte/vitest';
import { configure } from '@testing-library/svelte';
import { vi } from 'vitest';

// a busy machine is slow, and not wrong
configure({ asyncUtilTimeout: 15_000 });

// what jsdom lacks and the window uses
Element.prototype.scrollIntoView = vi.fn();
HTMLCanvasElement.prototype.getContext = vi.fn(() => null);
class Watch implements ResizeObserver {
  constructor(readonly changed: ResizeObserverCallback) {}
  observe(element: Element): void {
    const size = [{ inlineSize: 900, blockSize: 600 }];
    const rect: DOMRectReadOnly = { x: 0, y: 0, top: 0, left: 0, right: 900, bottom: 600, width: 900, height: 600, toJSON: () => size };
    this.changed([{ target: element, contentRect: rect, borderBoxSize: size, contentBoxSize: size, devicePixelContentBoxSize: size }], this);
  }
  unobserve(): void {
    /* nothing is held */
  }
  disconnect(): void {
    /* nothing is held */
  }
}
globalThis.ResizeObserver = Watch;
Object.defineProperty(HTMLElement.prototype, 'clientHeight', { get: () => 600 });
