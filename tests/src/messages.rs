//! Italian customer messages drawn by seed from lists of parts: as many as a test or a measurement
//! needs, each with its label. Two of them are rarely alike, since most parts differ.

use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::io::Write;
use std::path::Path;

const OPENINGS: [&str; 24] = [
    "Buongiorno,",
    "Salve,",
    "Ciao a tutti,",
    "Gentile assistenza,",
    "Scusate il disturbo,",
    "Allora,",
    "Vi scrivo perché",
    "Da cliente affezionato vi dico che",
    "Mio marito sostiene che",
    "Come già detto al telefono,",
    "Premetto che non mi lamento mai, ma",
    "Senza offesa,",
    "Non so se siete voi a doverlo sapere, però",
    "Mia figlia si è accorta che",
    "Questa è la seconda volta che lo segnalo:",
    "Ieri sera, dopo cena,",
    "Ho letto le vostre condizioni e",
    "Secondo la vostra collega",
    "Per correttezza vi informo che",
    "Sarò breve:",
    "Forse sbaglio io, eppure",
    "Con un certo imbarazzo ammetto che",
    "Prima di rivolgermi altrove,",
    "Spero sia il posto giusto:",
];

/// Each label with what its messages are about.
const TOPICS: [(&str, [&str; 8]); 8] = [
    (
        "spedizione",
        [
            "il corriere ha lasciato il pacco dal vicino",
            "la consegna risulta ferma al magazzino",
            "il furgone è passato senza suonare",
            "il codice per seguire la spedizione non esiste",
            "la scatola è rimasta in deposito",
            "il ritiro in negozio non compare tra le scelte",
            "la data di arrivo cambia ogni mattina",
            "il pacco viaggia verso un'altra provincia",
        ],
    ),
    (
        "rimborso",
        [
            "il rimborso promesso non si vede sul conto",
            "vorrei indietro i soldi della lampada",
            "la nota di credito riporta una cifra inferiore",
            "mi avete reso solo metà della somma",
            "rinuncio all'acquisto e chiedo il denaro",
            "il bonifico di ritorno è stato respinto",
            "aspetto la restituzione della caparra",
            "avete accreditato l'importo a un estraneo",
        ],
    ),
    (
        "pagamento",
        [
            "la carta viene rifiutata al momento di pagare",
            "mi trovo addebitata due volte la stessa spesa",
            "non riesco a dividere la cifra in rate",
            "la fattura porta una partita iva sbagliata",
            "il contrassegno è sparito dalla cassa",
            "il buono regalo non scala nulla",
            "la banca blocca ogni transazione verso di voi",
            "lo scontrino non coincide col totale",
        ],
    ),
    (
        "accesso",
        [
            "la parola chiave non viene più accettata",
            "il profilo risulta sospeso senza spiegazioni",
            "il messaggio con il codice di verifica non arriva",
            "ho cambiato telefono e sono rimasto fuori",
            "il collegamento per reimpostare le credenziali è scaduto",
            "qualcuno è entrato con il mio nome",
            "l'indirizzo di posta registrato è quello vecchio",
            "dopo tre tentativi il sito mi esclude",
        ],
    ),
    (
        "guasto",
        [
            "l'aspirapolvere si spegne dopo un minuto",
            "lo schermo mostra righe verdi",
            "la lavatrice perde acqua dallo sportello",
            "il forno non supera i cento gradi",
            "le cuffie gracchiano dal lato sinistro",
            "la batteria si scarica in mezz'ora",
            "il tostapane fa saltare la corrente",
            "la stampante mangia i fogli",
        ],
    ),
    (
        "prodotto",
        [
            "mi serve sapere se la giacca è foderata",
            "cerco le misure esatte del tavolino",
            "il tessuto del divano si può lavare?",
            "la bicicletta regge anche un seggiolino?",
            "quale filtro va bene per la caraffa",
            "lo zaino tiene un portatile grande?",
            "la crema contiene profumo?",
            "vorrei capire se il telo è impermeabile",
        ],
    ),
    (
        "negozio",
        [
            "non trovo gli orari della sede in centro",
            "domenica il punto vendita è aperto?",
            "c'è un parcheggio vicino alla bottega",
            "cerco il numero del reparto giardino",
            "fate entrare anche i cani?",
            "organizzate ancora i laboratori per bambini",
            "avete un catalogo di carta da spedirmi",
            "assumete personale per la stagione estiva",
        ],
    ),
    (
        "sconto",
        [
            "il codice promozionale risulta già usato",
            "i punti raccolti sono spariti dalla tessera",
            "l'offerta del volantino non vale in rete",
            "la riduzione per studenti non viene calcolata",
            "credevo che il terzo pezzo fosse gratis",
            "il prezzo ribassato è tornato quello pieno",
            "non ho ricevuto il premio di compleanno",
            "la vendita privata non si apre",
        ],
    ),
];

const WHEN: [&str; 20] = [
    "da lunedì scorso",
    "da quando avete aggiornato il sito",
    "ormai da tre settimane",
    "soltanto nel fine settimana",
    "ogni volta che piove",
    "dall'inizio di ottobre",
    "già prima delle vacanze",
    "quasi sempre verso mezzogiorno",
    "da stamattina presto",
    "dopo la telefonata di giovedì",
    "a giorni alterni",
    "fin dal primo giorno",
    "appena finita la garanzia",
    "proprio sotto Natale",
    "nell'ultimo trimestre",
    "durante il trasloco",
    "mentre ero all'estero",
    "subito dopo la registrazione",
    "da quando abito qui",
    "per tutta l'estate",
];

const WHERE: [&str; 20] = [
    "a Ferrara",
    "nel quartiere Isola",
    "dalle parti di Avellino",
    "in montagna",
    "sull'isola dove lavoro",
    "nella casa dei miei suoceri",
    "in ufficio",
    "a bordo del camper",
    "presso la scuola elementare",
    "in una frazione di Cuneo",
    "nel mio studio di Potenza",
    "in portineria",
    "al terzo piano senza ascensore",
    "nella sede di via Cavour",
    "a casa di mia zia",
    "in provincia di Nuoro",
    "al mare",
    "nel laboratorio di ceramica",
    "in parrocchia",
    "alla fattoria",
];

const AFTER: [&str; 24] = [
    "e il ragazzo al banco alza le spalle",
    "anche se ho seguito il manuale passo passo",
    "mentre ai miei colleghi funziona tutto",
    "e nessuno richiama",
    "benché abbia mandato le fotografie",
    "e comincio a perdere la pazienza",
    "tanto che ho chiesto consiglio a un avvocato",
    "ma forse esiste una soluzione semplice",
    "e intanto il tempo passa",
    "nonostante le rassicurazioni ricevute",
    "perciò mi affido alla vostra esperienza",
    "e vorrei evitare una recensione cattiva",
    "come se fosse la cosa più normale",
    "e mia nonna ci è rimasta male",
    "quindi ditemi che documenti servono",
    "per fortuna avevo conservato la ricevuta",
    "altrimenti compro dalla concorrenza",
    "e non capisco la logica",
    "però non ho fretta",
    "insomma, un bel pasticcio",
    "e mi servirebbe entro sabato",
    "salvo che abbia frainteso io",
    "dunque resto in attesa",
    "e la cosa si ripete",
];

const CLOSINGS: [&str; 16] = [
    "Grazie mille.",
    "Che faccio?",
    "Potete controllare?",
    "Un saluto, Ornella.",
    "Fatemi sapere.",
    "Cordialmente, Tiziano Bellandi.",
    "Mi aiutate?",
    "Rispondete per favore.",
    "Buona giornata a voi.",
    "Attendo notizie.",
    "A chi mi rivolgo?",
    "È normale?",
    "Si può rimediare?",
    "Vi ringrazio in anticipo.",
    "Ditemi voi.",
    "Distinti saluti.",
];

/// A message of a customer.
pub struct Message {
    /// What is written.
    pub text: String,
    /// What it is about.
    pub label: &'static str,
}

/// An endless supply of messages.
pub struct Messages(ChaCha8Rng);

impl Messages {
    /// The supply of a seed.
    pub fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of.choose(&mut self.0).copied().unwrap_or_default()
    }
}

impl Iterator for Messages {
    type Item = Message;

    fn next(&mut self) -> Option<Message> {
        let (label, about) = &TOPICS[self.0.random_range(0..TOPICS.len())];
        let parts = [self.one(&OPENINGS), self.one(about), self.one(&WHEN), self.one(&WHERE), self.one(&AFTER)].join(" ");
        let (number, closing) = (self.0.random_range(1000..999_999), self.one(&CLOSINGS));
        Some(Message { text: format!("{parts}, pratica {number}. {closing}"), label })
    }
}

/// Writes a test set of so many messages as JSON Lines; one in a hundred is also in the training set that [`write`] makes, if that
/// has as many.
///
/// # Errors
/// If the disk refuses.
pub fn write_test(path: &Path, rows: usize) -> std::io::Result<()> {
    let both = Messages::new(2).zip(Messages::new(1)).take(rows).enumerate();
    lines(path, both.map(|(i, (own, seen))| if i % 100 == 0 { seen } else { own }))
}

/// Writes a training set of so many messages as JSON Lines; one in a hundred is a copy of another, one in a hundred nearly one.
///
/// # Errors
/// If the disk refuses.
pub fn write(path: &Path, rows: usize) -> std::io::Result<()> {
    let mut last = String::new();
    let messages = Messages::new(1).take(rows).enumerate().map(|(i, message)| {
        let text = match i % 100 {
            50 => last.to_uppercase(),
            70 => last.replacen(' ', " davvero ", 1),
            _ => message.text,
        };
        last.clone_from(&text);
        Message { text, label: message.label }
    });
    lines(path, messages)
}

fn lines(path: &Path, messages: impl Iterator<Item = Message>) -> std::io::Result<()> {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
    for Message { text, label } in messages {
        writeln!(file, "{}", serde_json::json!({"text": text, "label": label}))?;
    }
    file.flush()
}
