/** A word for a name that the backend chose: its own where the catalogue knows it, else the name. */
export function lookup(names: object, key: string): string {
  const word = (names as Record<string, unknown>)[key];
  return typeof word === 'string' ? word : key;
}
