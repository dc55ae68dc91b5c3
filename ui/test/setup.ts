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

/** Nothing is laid out here, so everything that is watched is in view at once. */
class InView implements IntersectionObserver {
  readonly root = null;
  readonly rootMargin = '';
  readonly scrollMargin = '';
  readonly thresholds = [];
  constructor(readonly tell: IntersectionObserverCallback) {}
  observe(target: Element): void {
    const entry = { isIntersecting: true, target } as unknown as IntersectionObserverEntry;
    queueMicrotask(() => this.tell([entry], this));
  }
  unobserve(): void {
    // nothing is watched any more
  }
  disconnect(): void {
    // as above
  }
  takeRecords(): IntersectionObserverEntry[] {
    return [];
  }
}
globalThis.IntersectionObserver = InView;
