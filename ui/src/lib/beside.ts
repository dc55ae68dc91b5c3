/** Files beside the examples: the tables that queries are about and their rows, or what the answers of a custom task must fit. */
import type { Words } from '../words';
import type { App } from './app.svelte';

export type Beside = 'schema' | 'database';

/** Whether a file is, by its name, the tables of questions: a script, or a database of SQLite. */
export function isDatabase(path: string): boolean {
  return /\.(sql|sqlite3?|db)$/i.test(path);
}

/** Those that the data of a task may have. */
export function beside(task: string): readonly Beside[] {
  if (task === 'sql') return ['schema', 'database'];
  return task === 'custom' ? ['schema'] : [];
}

export function besideName(task: string, what: Beside, words: Words): string {
  return task === 'custom' ? words.data.import.jsonSchema : words.data.import[what];
}

/** The platform's dialog for one of them; `null` if the person cancelled. */
export function pickBeside(app: App, task: string, what: Beside): Promise<string | null> {
  return app.door.pickFile(task === 'custom' ? 'schema' : 'database', app.words.data.import[what]);
}
