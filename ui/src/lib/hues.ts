/** Colours of entity types: by their places in the list of a set's types, so that no two of a set are alike. */

/** Hues at least, so that those of a set of two types are not each other's opposites. */
const FEWEST = 6;

/** A hue in degrees for each type: of those that a set has, and of any others that come up beside them. */
export function hues(known: readonly string[], others: readonly string[] = []): ReadonlyMap<string, number> {
  const own = [...new Set(known)].sort();
  const all = [...own, ...[...new Set(others)].filter((type) => !own.includes(type)).sort()];
  return new Map(all.map((type, place) => [type, Math.round((place * 360) / Math.max(all.length, FEWEST)) + 10]));
}
