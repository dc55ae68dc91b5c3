//! Faults planted by seed among 10 000 sound rows are all found, and hardly anything else is.

use acceptance::messages::{Message, Messages};
use data::check::{self, Finding};
use data::set::{DataSet, Source, Split};
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, BTreeSet};

const TRAIN: usize = 9_000;
const TEST: usize = 1_000;
const EACH: usize = 20;

const FOREIGN: [&str; EACH] = [
    "Where is my parcel? It was supposed to be here on Monday and nobody has called me.",
    "I would like my money back for the lamp, since it arrived broken.",
    "My card is declined every time I try to pay for the order.",
    "Can you tell me whether the jacket is lined and how it should be washed?",
    "Je voudrais savoir pourquoi mon colis est resté au dépôt depuis une semaine.",
    "Le code promotionnel que vous m'avez envoyé ne marche pas du tout.",
    "Bonjour, mon aspirateur s'arrête après une minute, que dois-je faire ?",
    "Quels sont les horaires du magasin pendant les fêtes de fin d'année ?",
    "Guten Tag, meine Bestellung ist seit drei Wochen nicht angekommen.",
    "Ich kann mich nicht mehr anmelden, weil das Kennwort nicht angenommen wird.",
    "Bitte überweisen Sie mir den Betrag für die defekte Waschmaschine zurück.",
    "Wann haben Sie am Sonntag geöffnet und gibt es einen Parkplatz in der Nähe?",
    "Hola, todavía no he recibido el paquete que pedí hace quince días.",
    "¿Por qué me han cobrado dos veces la misma compra en la tarjeta?",
    "Quisiera devolver los zapatos porque no son de mi talla y están rotos.",
    "Os meus pontos desapareceram do cartão e ninguém me sabe explicar porquê.",
    "A impressora que comprei na vossa loja não funciona desde o primeiro dia.",
    "Mijn pakket is nog steeds niet bezorgd en ik kan niemand bereiken.",
    "Почему мой заказ до сих пор не доставлен, хотя прошло уже две недели?",
    "The washing machine leaks water from the door whenever I start it.",
];

/// A message with a typing slip, a word left out or a word of its own.
fn nearly(text: &str, rng: &mut ChaCha8Rng) -> String {
    let mut words: Vec<String> = text.split(' ').map(String::from).collect();
    let at = rng.random_range(1..words.len() - 1);
    match rng.random_range(0..3) {
        0 => drop(words.remove(at)),
        1 => words.insert(at, "davvero".into()),
        _ => {
            let mut letters: Vec<char> = words[at].chars().collect();
            let i = rng.random_range(0..letters.len());
            letters.insert(i, letters[i]);
            words[at] = letters.into_iter().collect();
        }
    }
    words.join(" ")
}

#[test]
fn planted_faults_are_found_and_hardly_anything_else() {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let mut train: Vec<Message> = Messages::new(7).take(TRAIN).collect();
    let mut test: Vec<Message> = Messages::new(8).take(TEST).collect();
    // disjoint rows to plant on; the second half of the training set is what is copied from
    let mut free: Vec<usize> = (0..TRAIN / 2).collect();
    free.shuffle(&mut rng);
    let mut planted: BTreeMap<&str, BTreeSet<(Split, usize)>> = BTreeMap::new();
    let mut plant = |kind, split, row| {
        planted.entry(kind).or_default().insert((split, row));
    };
    for i in 0..EACH {
        let source = TRAIN / 2 + i * 200;
        let [a, b, c, d, e] = [0; 5].map(|_| free.pop().expect("enough rows"));
        train[a].text = nearly(&train[source].text, &mut rng);
        train[a].label = train[source].label;
        plant("near_duplicate", Split::Train, a);
        train[b].text = train[source + 1].text.to_uppercase();
        train[b].label = if train[source + 1].label == "sconto" { "guasto" } else { "sconto" };
        plant("contradiction", Split::Train, b);
        test[i * 40].text = train[source + 2].text.replace(", ", " - ");
        test[i * 40].label = train[source + 2].label;
        plant("leakage", Split::Test, i * 40);
        train[c].text = FOREIGN[i].into();
        plant("other_language", Split::Train, c);
        let (before, after) = train[d].text.split_at(5);
        train[d].text = format!("{before}{}{after}", ['\u{0}', '\u{7}', '\u{1b}', '\u{9d}'][i % 4]);
        plant("control_characters", Split::Train, d);
        train[e].text = Messages::new(100 + i as u64).take(40).map(|m| m.text).collect::<Vec<_>>().join(" ");
        plant("extreme_length", Split::Train, e);
    }
    let dir = tempfile::tempdir().expect("a temporary folder");
    let write = |name: &str, rows: &[Message]| {
        let path = dir.path().join(name);
        let lines: String = rows.iter().map(|m| serde_json::json!({"text": m.text, "label": m.label}).to_string() + "\n").collect();
        std::fs::write(&path, lines).expect("writable");
        Some(path)
    };
    let source = Source { kind: Some(data::Kind::Intent), train: write("train.jsonl", &train), test: write("test.jsonl", &test), ..Source::default() };
    let set = DataSet::open(&source).expect("well-formed");
    let findings = check::findings(&set, None).expect("no database is needed");

    let rows = |f: &Finding| f.places.iter().map(|p| (p.split, p.index)).collect::<BTreeSet<_>>();
    for (kind, expected) in &planted {
        let found: BTreeSet<_> = findings.iter().filter(|f| f.kind == *kind).flat_map(rows).collect();
        let missed: Vec<_> = expected.difference(&found).collect();
        assert_eq!(expected.len(), EACH);
        assert!(missed.is_empty(), "{kind}: missed {missed:?}");
    }
    // the rows that copies were made of are rightly named with them
    let mut faulty: BTreeSet<(Split, usize)> = planted.values().flatten().copied().collect();
    faulty.extend((0..EACH).flat_map(|i| (0..3).map(move |k| (Split::Train, TRAIN / 2 + i * 200 + k))));
    let alarms: BTreeSet<_> = findings.iter().flat_map(rows).filter(|place| !faulty.contains(place)).collect();
    assert!(alarms.len() * 100 <= TRAIN + TEST, "{} false alarms in {} rows: {alarms:?}", alarms.len(), TRAIN + TEST);
}
