/** How far down a part of a screen is, kept in `place` while another screen is shown. */
export function scrolled(node: HTMLElement, place: { scroll: number }): { destroy: () => void } {
  /** Where it was left, until there is room to go back so far: what is drawn later makes the part longer. */
  let wanted: number | null = place.scroll;
  let reached = 0;

  function back(): void {
    if (wanted === null) return;
    node.scrollTop = wanted;
    reached = node.scrollTop;
    // the window rounds to pixels of the screen
    if (reached > wanted - 1) wanted = null;
  }

  function keep(): void {
    // whoever goes elsewhere meanwhile stays there
    if (wanted !== null && node.scrollTop === reached) return;
    wanted = null;
    place.scroll = node.scrollTop;
  }

  const grown = new ResizeObserver(back);
  for (const child of node.children) grown.observe(child);
  node.addEventListener('scroll', keep);
  back();
  return {
    destroy: () => {
      grown.disconnect();
      node.removeEventListener('scroll', keep);
    },
  };
}
