/**
 * What the engine says, as the window says it. The engine also speaks to people at a command line and names flags and
 * commands in its advice; here the same advice names what there is in the window, in the window's language. The engine
 * speaks English or Italian, and what it said earlier (in a run, in a list of findings) may be in the other one, so both
 * are known: each line has the English and, where the words differ, the Italian.
 */
import type { Words } from '../words';

type Advice = keyof Words['advice'];

/** What is said at a command line, what stands in its place, and what is advised instead. The first that fits counts for its piece. */
const SAID: readonly (readonly [RegExp, string, Advice?])[] = [
  // settings are the same words everywhere
  [/--set (\S+=\S+|\S+:)/g, '$1'],
  [/ \(--set [^)]*\)/g, '', 'settings'],
  // choices that Start offers
  [/(;|,) (or )?(use|train with) --method completion/g, '', 'method'],
  [/(;|,) (oppure )?(usa|addestra con) --method completion/g, '', 'method'],
  [/(;|,) use --device cpu, or update the driver and run `lapidary devices --check`/g, '', 'deviceOrDriver'],
  [/; usa --device cpu, oppure aggiorna il driver ed esegui `lapidary devices --check`/g, '', 'deviceOrDriver'],
  [/; `lapidary devices` (lists what is|elenca quelli presenti)/g, '', 'device'],
  [/ \(`lapidary devices`\)/g, ''],
  [/; choose another with --device, or start Lapidary anew/g, '; start Lapidary anew, or compute elsewhere', 'device'],
  [/; scegline un altro con --device, o riavvia Lapidary/g, '; riavvia Lapidary, o calcola altrove', 'device'],
  [/; (choose another|scegline un altro) (with|con) --device/g, '', 'device'],
  [/; (add it with|aggiungilo con) lapidary devices --add/g, '', 'addDevice'],
  [/; name a file with --train, or a folder with --data/g, '', 'data'],
  [/; indica un file con --train, oppure una cartella con --data/g, '', 'data'],
  [/; (name one with|indicane uno con) --(train|validation|test)/g, '', 'data'],
  // which column is which, and the database that queries are about
  [/: (say which one with|indica quale con) --columns \S+/g, '', 'columns'],
  [/; name the script of the tables with --schema, and the database or the script that fills it with --database/g, '', 'database'],
  [/; indica lo script delle tabelle con --schema, e il database o lo script che lo riempie con --database/g, '', 'database'],
  [/, (or say which database with|oppure indica il database con) --schema/g, '', 'database'],
  // the window asks for a device where one was lost, and else goes on with the one that a run began on
  [/; to go on with the run on another device, name it: lapidary resume .*? --device cpu/g, ''],
  [/; per proseguire l’esecuzione su un altro dispositivo, indicalo: lapidary resume .*? --device cpu/g, ''],
  // runs
  [/; lapidary resume (goes on with it|prosegue)/g, '', 'goOn'],
  [/(go on|prosegui) (with|con) lapidary resume/g, '$1', 'goOn'],
  [/(go on with it|riprendila): lapidary resume .*$/g, '$1', 'goOn'],
  [/(train again|ripeti l’addestramento): lapidary .*$/g, '$1'],
  [/; lapidary report (writes its report|ne scrive il rapporto)/g, '', 'report'],
  // models
  [/: accept its licence on the hub's page of the model, make a token there and set HF_TOKEN to it/g, '', 'token'],
  [/: accetta la sua licenza nella pagina del modello sull’hub, crea lì un token e mettilo in HF_TOKEN/g, '', 'token'],
  [/; (get it with|scaricalo con) `lapidary models get [^`]*`/g, '', 'model'],
  [/; `lapidary models list` (shows the catalogue|mostra il catalogo)/g, '', 'model'],
  // what the window sees to by itself
  [/, or pass over \S+ with --skip-bad-rows/g, ''],
  [/, oppure salta\S* con --skip-bad-rows/g, ''],
  [/; train with --edited to heed (it|them)/g, ''],
  [/; addestra con --edited per tenerne conto/g, ''],
  [/; leave --edited out, or see `lapidary data edit`/g, ''],
  [/; togli --edited, oppure vedi `lapidary data edit`/g, ''],
  [/ (with|con) --(out|home)\b( CARTELLA| DIR)?/g, ''],
  [/; (use `lapidary calibrate` first|usa prima `lapidary calibrate`)/g, ''],
  [/; (calibrate it for a lower|calibrala per una) --accuracy( più bassa)?/g, ''],
];

export function wording(message: string, words: Words): string {
  const advice = new Set<Advice>();
  let text = message;
  for (const [said, instead, advised] of SAID) {
    const before = text;
    text = text.replace(said, instead);
    if (text !== before && advised !== undefined) advice.add(advised);
  }
  if (advice.size === 0) return text;
  const end = /[.!?…]$/.test(text) ? '' : '.';
  return [text + end, ...[...advice].map((a) => words.advice[a])].join(' ');
}

/** Does a failure only say that a run has not got a figure that others have? */
export function noSuchFigure(message: string): boolean {
  return / has no figure `| non ha una figura `/.test(message);
}
