//! What a model may write when answers are not a closed set: a grammar over bytes, turned into a mask
//! over the tokens of a vocabulary at each step (llguidance).
//!
//! One [`Vocabulary`] serves all grammars of a model. A [`Rows`] holds one grammar for each prompt of
//! a batch, because the entities of a text can only be words of this text.

use crate::sandbox::Table;
use gemma::generate::{Allowed, Constraint};
use llguidance::api::TopLevelGrammar;
use llguidance::toktrie::{ApproximateTokEnv, InferenceCapabilities, TokEnv, TokRxInfo, TokTrie};
use llguidance::{Matcher, ParserFactory};
use std::cell::RefCell;
use std::sync::Arc;

/// Most hashtags of an answer.
const TAGS: usize = 12;
/// Most entities of an answer.
const ENTITIES: usize = 40;

/// The tokens of a model as bytes, arranged for masks.
pub struct Vocabulary {
    factory: ParserFactory,
    stop: u32,
}

impl Vocabulary {
    /// Arranges the tokens: `pieces[i]` are the bytes of token `i`, none if it is not text. `stop` ends
    /// an answer.
    ///
    /// # Errors
    /// If there are no tokens, or llguidance refuses them.
    pub fn new(pieces: &[Vec<u8>], stop: u32) -> Result<Self, String> {
        let size = u32::try_from(pieces.len()).map_err(|e| e.to_string())?;
        if stop >= size {
            return Err(format!("token {stop} ends a text and is not among the {size} tokens"));
        }
        let trie = TokTrie::from(&TokRxInfo::new(size, stop), pieces);
        let env: TokEnv = Arc::new(ApproximateTokEnv::new(trie));
        let mut factory = ParserFactory::new(&env, InferenceCapabilities::default(), &[]).map_err(|e| e.to_string())?;
        factory.quiet();
        Ok(Self { factory, stop })
    }

    /// The constraint of a batch: `grammars[i]` is what may follow prompt `i`.
    ///
    /// # Errors
    /// If a grammar is malformed.
    pub fn rows(&self, grammars: &[String]) -> Result<Rows, String> {
        let row = |lark: &String| {
            let matcher = Matcher::new(self.factory.create_parser(TopLevelGrammar::from_lark(lark.clone())));
            match matcher.get_error() {
                Some(e) => Err(format!("a grammar cannot be used: {e}")),
                None => Ok(RefCell::new(Row { ended: matcher.is_stopped(), matcher, seen: Vec::new() })),
            }
        };
        Ok(Rows { rows: grammars.iter().map(row).collect::<Result<_, _>>()?, stop: self.stop })
    }
}

/// Where an answer stands in its grammar.
struct Row {
    ended: bool,
    matcher: Matcher,
    /// The tokens that it has seen.
    seen: Vec<u32>,
}

impl Row {
    /// Brings the grammar to the end of an answer, which may be another one than before: a beam's past can change.
    fn follow(&mut self, generated: &[u32]) {
        let common = self.seen.iter().zip(generated).take_while(|(a, b)| a == b).count();
        if common < self.seen.len() {
            // behind its end a grammar has consumed less than it was given, so it is read anew from the beginning
            let keep = if self.ended || self.matcher.rollback(self.seen.len() - common).is_err() { 0 } else { common };
            if keep == 0 {
                self.ended = self.matcher.reset().is_err() || self.matcher.is_stopped();
            }
            self.seen.truncate(keep);
        }
        for &token in &generated[self.seen.len()..] {
            self.ended = self.ended || self.matcher.consume_token(token).is_err() || self.matcher.is_stopped();
            self.seen.push(token);
        }
    }
}

/// One grammar for each row of a batch.
pub struct Rows {
    rows: Vec<RefCell<Row>>,
    stop: u32,
}

impl Constraint for Rows {
    fn next(&self, row: usize, generated: &[u32]) -> Allowed {
        let Some(state) = self.rows.get(row) else { return Allowed::Only(Vec::new()) };
        let mut state = state.borrow_mut();
        state.follow(generated);
        if state.ended {
            return Allowed::Only(vec![self.stop]);
        }
        Allowed::Only(state.matcher.compute_mask_or_eos().map(|mask| mask.to_list()).unwrap_or_default())
    }
}

/// A text between quotation marks, as lark writes it.
fn literal(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Hashtags with a space before each: letters, digits and `_` after a `#`.
pub fn hashtags() -> String {
    format!("start: tag{{1,{TAGS}}}\ntag: \" \" TAG\nTAG: /#[\\p{{L}}\\p{{N}}_]{{1,40}}/\n")
}

/// Entities of `input` as a JSON list, `[{"people":"Anna"}]`: only these types, only strings that
/// stand in the text.
pub fn entities(input: &str, types: &[String]) -> String {
    let kinds: Vec<String> = types.iter().map(|t| literal(&format!("{{{}:\"", literal(t)))).collect();
    // one chunk for each character, as it is written inside a JSON string
    let inside = |c: char| literal(&c.to_string()).strip_prefix('"').and_then(|t| t.strip_suffix('"')).unwrap_or_default().to_string();
    let chunks: Vec<String> = input.trim().chars().map(inside).collect();
    let chunks = serde_json::Value::from(chunks);
    format!(
        "start: \" []\" | \" [\" item (\",\" item){{0,{ENTITIES}}} \"]\"\nitem: kind name \"\\\"}}\"\nkind: {}\nname: %regex {{ \"substring_chunks\": {chunks} }}\n",
        kinds.join(" | ")
    )
}

/// Words that queries are made of, besides names.
const KEYWORDS: &str = "SELECT DISTINCT FROM JOIN INNER LEFT OUTER CROSS ON USING WHERE AND OR NOT IN IS NULL LIKE GLOB BETWEEN EXISTS AS GROUP BY HAVING \
    ORDER ASC DESC LIMIT OFFSET UNION ALL INTERSECT EXCEPT CASE WHEN THEN ELSE END CAST INTEGER REAL TEXT WITH OVER PARTITION COLLATE NOCASE NULLS FIRST LAST";
/// Functions that queries call.
const FUNCTIONS: &str = "COUNT SUM AVG MIN MAX TOTAL ROUND ABS LENGTH LOWER UPPER SUBSTR TRIM REPLACE INSTR COALESCE IFNULL NULLIF IIF STRFTIME DATE \
    JULIANDAY DATETIME GROUP_CONCAT PRINTF ROW_NUMBER RANK DENSE_RANK";

/// Queries over these tables: every word is a keyword, a function, a name of the schema, one of these
/// `aliases` or one of at most three characters, a number or a string, and parentheses close. Names that do not exist
/// cannot be written; whether the words make a query is for SQLite to say.
pub fn sql(tables: &[Table], aliases: &[String]) -> String {
    let plain = |name: &&str| name.chars().all(|c| c.is_alphanumeric() || c == '_') && !name.starts_with(|c: char| c.is_ascii_digit());
    let mut names: Vec<&str> =
        tables.iter().flat_map(|t| t.columns.iter().map(|c| c.name.as_str()).chain([t.name.as_str()])).chain(aliases.iter().map(String::as_str)).collect();
    names.sort_unstable();
    names.dedup();
    let name = |n: &&str| if plain(n) { format!("{}i", literal(n)) } else { literal(&format!("\"{}\"", n.replace('"', "\"\""))) };
    let listed = |words: &str| words.split_whitespace().map(|w| format!("\"{w}\"i")).collect::<Vec<_>>().join(" | ");
    let (names, keywords, functions) = (names.iter().map(name).collect::<Vec<_>>().join(" | "), listed(KEYWORDS), listed(FUNCTIONS));
    format!(
        r#"start: " " ("SELECT"i | "WITH"i) after_word
after_word: "" | " " word after_word | SPACE sign after_sign | SPACE group after_word
after_sign: SPACE word after_word | SPACE group after_word | SPACE sign after_sign
group: "(" (after_sign | "") SPACE ")"
word: KEYWORD | FUNCTION | NAME | ALIAS | QUALIFIED | NUMBER | STRING | STAR
sign: /,|=|==|<>|!=|<=|>=|<|>|\+|-|\*|\/|%|\|\|/
SPACE: / ?/
STAR: "*" | (ALIAS | NAME) ".*"
QUALIFIED: (ALIAS | NAME) "." NAME
NUMBER: /[0-9]{{1,12}}(\.[0-9]{{1,6}})?/
STRING: /'([^'\n]|''){{0,80}}'/
ALIAS: /[A-Za-z][A-Za-z0-9]{{0,2}}/
NAME: {names}
KEYWORD: {keywords}
FUNCTION: {functions}
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::tests::shop;

    /// Every byte is a token, and so are some longer pieces; the last one ends a text.
    fn bytes() -> Vocabulary {
        let mut pieces: Vec<Vec<u8>> = (0..=255u8).map(|b| if b == 0xff { Vec::new() } else { vec![b] }).collect();
        pieces.extend([" #", "SELECT", "\"}", "Anna"].map(|p| p.as_bytes().to_vec()));
        pieces.push(Vec::new());
        let stop = pieces.len() as u32 - 1;
        Vocabulary::new(&pieces, stop).expect("a vocabulary")
    }

    /// How many bytes of an answer may be written, and whether it may then end.
    fn written(vocabulary: &Vocabulary, grammar: &str, answer: &str) -> (usize, bool) {
        let rows = vocabulary.rows(&[grammar.to_string()]).expect("a grammar");
        let mut tokens = Vec::new();
        for (at, byte) in answer.bytes().enumerate() {
            match rows.next(0, &tokens) {
                Allowed::Only(allowed) if allowed.contains(&u32::from(byte)) => tokens.push(u32::from(byte)),
                _ => return (at, false),
            }
        }
        let Allowed::Only(allowed) = rows.next(0, &tokens) else { panic!("always restricts") };
        (answer.len(), allowed.contains(&vocabulary.stop))
    }

    fn accepts(vocabulary: &Vocabulary, grammar: &str, answer: &str) -> bool {
        written(vocabulary, grammar, answer) == (answer.len(), true)
    }

    #[test]
    fn hashtags_are_well_formed() {
        let (v, g) = (bytes(), hashtags());
        assert!(accepts(&v, &g, " #uno #città_2") && !accepts(&v, &g, "") && !accepts(&v, &g, " #"));
        assert_eq!(written(&v, &g, " #uno, due"), (5, false));
        assert_eq!(written(&v, &g, "uno"), (0, false));
        let many = " #a".repeat(TAGS);
        assert!(accepts(&v, &g, &many) && !accepts(&v, &g, &(many + " #a")));
    }

    #[test]
    fn entities_are_words_of_the_text() {
        let types = ["people".to_string(), "places \"x\"".to_string()];
        let (v, text) = (bytes(), "Anna è a \"Città\"\\Roma.");
        let g = entities(text, &types);
        assert!(accepts(&v, &g, " []"));
        assert!(accepts(&v, &g, r#" [{"people":"Anna"},{"places \"x\"":"\"Città\"\\Roma"}]"#));
        assert_eq!(written(&v, &g, r#" [{"people":"Bruno"}]"#).0, r#" [{"people":""#.len());
        assert_eq!(written(&v, &g, r#" [{"dates":"Anna"}]"#).0, r#" [{""#.len());
    }

    #[test]
    fn queries_use_names_of_the_schema() {
        let (_dir, sandbox) = shop();
        let (v, g) = (bytes(), sql(sandbox.tables(), &["totale".to_string()]));
        for query in [
            "SELECT nome, citta FROM clienti WHERE citta = 'L''Aquila' AND nato >= 1980.5",
            "SELECT COUNT(*) FROM ordini",
            "SELECT SUM(importo) AS totale FROM ordini GROUP BY cliente_id ORDER BY totale",
            "SELECT c.nome, SUM(o.importo * (1 - 0.1)) FROM clienti c JOIN ordini o ON o.cliente_id = c.id GROUP BY c.id HAVING COUNT(*) > 1 ORDER BY 2 DESC LIMIT 3",
            "select nome from clienti where id in (select cliente_id from ordini)",
            "SELECT STRFTIME('%Y', nato) || '-x' FROM clienti WHERE NOT EXISTS (SELECT 1 FROM ordini)",
        ] {
            let answer = format!(" {query}");
            assert!(accepts(&v, &g, &answer), "{query}: stopped at {:?}", &answer[written(&v, &g, &answer).0..]);
        }
        for (query, at) in [
            ("SELECT cognome FROM clienti", "nome FROM"),
            ("SELECT nome FROM prodotti", "dotti"),
            ("DROP TABLE clienti", "DROP"),
            ("SELECT nome; DROP", "; DROP"),
        ] {
            let answer = format!(" {query}");
            assert!(answer[written(&v, &g, &answer).0..].starts_with(at), "{query}: {:?}", &answer[written(&v, &g, &answer).0..]);
        }
        assert!(!accepts(&v, &g, " SELECT COUNT(*"));
    }

    #[test]
    fn a_beam_may_take_the_place_of_another() {
        let v = bytes();
        let rows = v.rows(&["start: \"ab\" | \"acd\"".into()]).expect("a grammar");
        let allowed = |answer: &str| match rows.next(0, &answer.bytes().map(u32::from).collect::<Vec<_>>()) {
            Allowed::Only(tokens) => tokens,
            Allowed::Any => panic!("always restricts"),
        };
        assert_eq!(allowed("a"), [u32::from(b'b'), u32::from(b'c')]);
        assert_eq!(allowed("ab"), [v.stop]);
        assert_eq!(allowed("ac"), [u32::from(b'd')]);
        assert_eq!(allowed(""), [u32::from(b'a')]);
        assert_eq!(allowed("acd"), [v.stop]);
        assert_eq!(allowed("a"), [u32::from(b'b'), u32::from(b'c')]);
    }

    #[test]
    fn rows_have_their_own_grammar_and_mistakes_are_told() {
        let v = bytes();
        let rows = v.rows(&["start: \"a\"".into(), "start: \"b\"".into()]).expect("grammars");
        let allowed = |row, tokens: &[u32]| match rows.next(row, tokens) {
            Allowed::Only(tokens) => tokens,
            Allowed::Any => panic!("always restricts"),
        };
        assert_eq!((allowed(0, &[]), allowed(1, &[])), (vec![97], vec![98]));
        assert_eq!((allowed(0, &[97]), allowed(2, &[])), (vec![v.stop], vec![]));
        assert!(v.rows(&["start: nowhere".into()]).is_err_and(|e| e.contains("grammar")));
        assert!(Vocabulary::new(&[], 0).is_err());
    }
}
