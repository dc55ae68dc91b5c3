-- Base dati di un'azienda commerciale italiana (inventata), per SQLite.
-- Date in formato ISO 'AAAA-MM-GG', importi in euro, pesi in chilogrammi, valori logici 0/1.

CREATE TABLE categorie (
  id INTEGER PRIMARY KEY,
  nome TEXT NOT NULL UNIQUE,
  descrizione TEXT
);

CREATE TABLE fornitori (
  id INTEGER PRIMARY KEY,
  ragione_sociale TEXT NOT NULL UNIQUE,
  partita_iva TEXT UNIQUE,
  citta TEXT NOT NULL,
  nazione TEXT NOT NULL DEFAULT 'Italia',
  email TEXT,
  telefono TEXT,
  giorni_consegna INTEGER CHECK (giorni_consegna > 0) -- giorni medi per un rifornimento
);

CREATE TABLE prodotti (
  id INTEGER PRIMARY KEY,
  codice TEXT NOT NULL UNIQUE,
  nome TEXT NOT NULL UNIQUE,
  categoria_id INTEGER REFERENCES categorie (id),
  fornitore_id INTEGER REFERENCES fornitori (id),
  prezzo REAL NOT NULL CHECK (prezzo > 0), -- prezzo di listino
  costo REAL CHECK (costo > 0), -- costo d'acquisto
  giacenza INTEGER NOT NULL DEFAULT 0 CHECK (giacenza >= 0), -- pezzi in magazzino
  scorta_minima INTEGER NOT NULL DEFAULT 0 CHECK (scorta_minima >= 0),
  peso_kg REAL CHECK (peso_kg > 0),
  fuori_catalogo INTEGER NOT NULL DEFAULT 0 CHECK (fuori_catalogo IN (0, 1)),
  data_inserimento TEXT NOT NULL
);

CREATE TABLE clienti (
  id INTEGER PRIMARY KEY,
  tipo TEXT NOT NULL CHECK (tipo IN ('privato', 'azienda')),
  nome TEXT NOT NULL, -- per le aziende, nome e cognome del referente
  cognome TEXT NOT NULL,
  ragione_sociale TEXT, -- solo per le aziende
  citta TEXT NOT NULL,
  provincia TEXT NOT NULL CHECK (length(provincia) = 2),
  regione TEXT NOT NULL,
  email TEXT,
  telefono TEXT,
  data_nascita TEXT,
  data_registrazione TEXT NOT NULL,
  newsletter INTEGER NOT NULL DEFAULT 0 CHECK (newsletter IN (0, 1)),
  CHECK ((tipo = 'azienda') = (ragione_sociale IS NOT NULL))
);

CREATE TABLE dipendenti (
  id INTEGER PRIMARY KEY,
  nome TEXT NOT NULL,
  cognome TEXT NOT NULL,
  ruolo TEXT NOT NULL,
  reparto TEXT NOT NULL,
  sede TEXT NOT NULL,
  stipendio REAL NOT NULL CHECK (stipendio > 0), -- lordo annuo
  data_assunzione TEXT NOT NULL,
  data_cessazione TEXT, -- NULL: ancora in servizio
  responsabile_id INTEGER REFERENCES dipendenti (id),
  email TEXT
);

CREATE TABLE ordini (
  id INTEGER PRIMARY KEY,
  cliente_id INTEGER NOT NULL REFERENCES clienti (id),
  dipendente_id INTEGER REFERENCES dipendenti (id), -- NULL: ordine arrivato dal sito
  data_ordine TEXT NOT NULL,
  data_spedizione TEXT,
  data_consegna TEXT,
  stato TEXT NOT NULL CHECK (stato IN ('in attesa', 'in lavorazione', 'spedito', 'consegnato', 'annullato')),
  metodo_pagamento TEXT NOT NULL CHECK (metodo_pagamento IN ('carta', 'bonifico', 'contrassegno', 'paypal')),
  spese_spedizione REAL NOT NULL DEFAULT 0 CHECK (spese_spedizione >= 0),
  note TEXT
);

CREATE TABLE dettagli_ordine (
  ordine_id INTEGER NOT NULL REFERENCES ordini (id),
  prodotto_id INTEGER NOT NULL REFERENCES prodotti (id),
  quantita INTEGER NOT NULL CHECK (quantita > 0),
  prezzo_unitario REAL NOT NULL CHECK (prezzo_unitario > 0),
  sconto REAL NOT NULL DEFAULT 0 CHECK (sconto >= 0 AND sconto < 1), -- frazione: 0.1 è il 10%
  PRIMARY KEY (ordine_id, prodotto_id)
);
