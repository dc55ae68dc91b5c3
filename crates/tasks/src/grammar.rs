//! What a model may write when answers are not a closed set: a grammar over bytes, turned into a mask
//! over the tokens of a vocabulary at each step (llguidance).
//!
//! One [`Vocabulary`] serves all grammars of a model. A [`Rows`] holds one grammar for each prompt of
//! a batch, because the entities of a text can only be words of this text.

use crate::sandbox::Table;
use crate::scope::FUNCTIONS;
use gemma::generate::{Allowed, Constraint};
use llguidance::api::TopLevelGrammar;
use llguidance::toktrie::{ApproximateTokEnv, InferenceCapabilities, TokEnv, TokRxInfo, TokTrie};
use llguidance::{Matcher, ParserFactory};
use say::say;
use std::cell::RefCell;
use std::sync::Arc;

/// Most hashtags of an answer.
const TAGS: usize = 12;
/// Most entities of an answer.
const ENTITIES: usize = 40;

/// The tokens of a model as bytes, arranged for masks.
pub struct Vocabulary {
    factory: ParserFactory,
    env: TokEnv,
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
            return Err(say!("token {stop} ends a text and is not among the {size} tokens", "il token {stop} termina un testo e non è fra i {size} token"));
        }
        let trie = TokTrie::from(&TokRxInfo::new(size, stop), pieces);
        let env: TokEnv = Arc::new(ApproximateTokEnv::new(trie));
        let mut factory = ParserFactory::new(&env, InferenceCapabilities::default(), &[]).map_err(|e| e.to_string())?;
        factory.quiet();
        // a mask over a vocabulary of 262 144 looks further ahead than the defaults allow, where an expression may begin
        let limits = factory.limits_mut();
        limits.step_max_items *= 40;
        limits.step_lexer_fuel *= 40;
        Ok(Self { factory, env, stop })
    }

    /// The bytes themselves as tokens, for texts that no model writes.
    ///
    /// # Errors
    /// Never in practice.
    pub fn bytes() -> Result<Self, String> {
        // a token that begins with 0xff is a mark of llguidance, and no UTF-8
        let pieces: Vec<Vec<u8>> = (0..=255u8).map(|b| if b == 0xff { Vec::new() } else { vec![b] }).chain([Vec::new()]).collect();
        Self::new(&pieces, 256)
    }

    /// The token that ends an answer.
    pub fn stop(&self) -> u32 {
        self.stop
    }

    /// The bytes of a token; none if it is not text.
    pub fn piece(&self, token: u32) -> &[u8] {
        let trie = self.env.tok_trie();
        if (token as usize) < trie.vocab_size() { trie.token(token) } else { &[] }
    }

    /// What tokens spell; bytes that are no UTF-8 yet are marks of replacement.
    pub fn text(&self, tokens: &[u32]) -> String {
        let bytes: Vec<u8> = tokens.iter().flat_map(|&t| self.piece(t)).copied().collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// A grammar before its first token, or with what is wrong with it.
    pub(crate) fn matcher(&self, lark: &str) -> Matcher {
        let compile = || self.factory.create_parser(TopLevelGrammar::from_lark(lark.to_string()));
        Matcher::new(std::thread::scope(|scope| match std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, compile) {
            Ok(thread) => thread.join().unwrap_or_else(|_| Err(std::io::Error::other(say!("its compiler failed", "il suo compilatore non è riuscito")).into())),
            Err(e) => Err(e.into()),
        }))
    }

    /// The constraint of a batch: `grammars[i]` is what may follow prompt `i`.
    ///
    /// # Errors
    /// If a grammar is malformed.
    pub fn rows(&self, grammars: &[String]) -> Result<Rows, String> {
        let row = |lark: &String| {
            let matcher = self.matcher(lark);
            match matcher.get_error() {
                Some(e) => Err(say!("a grammar cannot be used: {e}", "una grammatica non si può usare: {e}")),
                None => Ok(RefCell::new(Row { ended: matcher.is_stopped(), matcher, seen: Vec::new() })),
            }
        };
        Ok(Rows { rows: grammars.iter().map(row).collect::<Result<_, _>>()?, stop: self.stop })
    }
}

/// Stack on which grammars are compiled: the parts of a JSON schema may lie within one another thousands deep.
const STACK: usize = 256 << 20;

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

/// The constraint of [`hashtags`] without repeats: a tag that stands there already can only become a longer one.
pub struct Distinct<'a> {
    rows: Rows,
    vocabulary: &'a Vocabulary,
}

impl<'a> Distinct<'a> {
    /// Narrows the constraint of a batch.
    pub fn new(rows: Rows, vocabulary: &'a Vocabulary) -> Self {
        Self { rows, vocabulary }
    }
}

impl Constraint for Distinct<'_> {
    fn next(&self, row: usize, generated: &[u32]) -> Allowed {
        let Allowed::Only(tokens) = self.rows.next(row, generated) else { return Allowed::Any };
        let text = self.vocabulary.text(generated).to_lowercase();
        let mut tags: Vec<&str> = text.split_whitespace().collect();
        let repeated = tags.pop().is_some_and(|last| tags.contains(&last));
        if !repeated {
            return Allowed::Only(tokens);
        }
        let ends = |&t: &u32| t == self.vocabulary.stop || self.vocabulary.piece(t).first().is_some_and(u8::is_ascii_whitespace);
        let kept: Vec<u32> = tokens.iter().copied().filter(|t| !ends(t)).collect();
        // a tag of the greatest length cannot become longer
        Allowed::Only(if kept.is_empty() { tokens } else { kept })
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

/// Words that end or join the parts of a query, so that no short name can be taken for one of them.
const RESERVED: &str = "AS ON OR IN BY IS AND NOT END ASC ALL SET USE";

/// Queries over these tables, as SQLite reads them: one SELECT, or several that UNION and its like join, with joins,
/// grouping, windows, sub-queries and WITH. The names are those of the schema, these `aliases` (which queries give by
/// AS) and short ones of at most three characters; texts between quotation marks are free. What a grammar cannot say,
/// that a column belongs to a table of the query, is for [`crate::scope`].
///
/// The rules are those of <https://www.sqlite.org/lang_select.html> and <https://www.sqlite.org/lang_expr.html>, with
/// the operators in three layers instead of nine and with one space where SQLite takes any.
pub fn sql(tables: &[Table], aliases: &[String]) -> String {
    let plain = |name: &str| name.chars().all(|c| c.is_alphanumeric() || c == '_') && !name.starts_with(|c: char| c.is_ascii_digit());
    let name = |n: &str| if plain(n) { format!("{}i", literal(n)) } else { literal(&format!("\"{}\"", n.replace('"', "\"\""))) };
    let any = |names: &mut dyn Iterator<Item = &str>| {
        let mut names: Vec<String> = names.filter(|n| !n.is_empty()).map(name).collect();
        names.sort_unstable();
        names.dedup();
        names.join(" | ")
    };
    let table_names = any(&mut tables.iter().map(|t| t.name.as_str()));
    let columns = any(&mut tables.iter().flat_map(|t| t.columns.iter().map(|c| c.name.as_str())));
    let given = any(&mut aliases.iter().map(String::as_str));
    let given = if given.is_empty() { String::new() } else { format!(" | {given}") };
    let functions = any(&mut FUNCTIONS.iter().copied());
    let reserved = RESERVED.replace(' ', "|");
    format!(
        r#"start: " " with? query
with: "WITH "i common (COMMA common)* " "
common: NAMED " AS ("i query ")"
query: select (SET select)* order? limit?
SET: " UNION ALL "i | " UNION "i | " INTERSECT "i | " EXCEPT "i
select: "SELECT "i "DISTINCT "i? result (COMMA result)* (" FROM "i source join*)? (" WHERE "i any)? group?
group: " GROUP BY "i any (COMMA any)* (" HAVING "i any)?
result: "*" | WHOLE | any (" AS "i NAMED)?
source: TABLE CALLED? | "(" query ")" CALLED?
join: COMMA source | JOIN source (" ON "i any)?
JOIN: " JOIN "i | " INNER JOIN "i | " LEFT JOIN "i | " LEFT OUTER JOIN "i | " CROSS JOIN "i
order: " ORDER BY "i term (COMMA term)*
term: any (" COLLATE NOCASE"i)? (" ASC"i | " DESC"i)? (" NULLS FIRST"i | " NULLS LAST"i)?
limit: " LIMIT "i sum (" OFFSET "i sum | COMMA sum)?
any: test (LOGIC test)*
LOGIC: " AND "i | " OR "i
test: "NOT "i? sum compared?
compared: SP COMPARE SP sum | " IS NULL"i | " IS NOT NULL"i | " NOT"i? " BETWEEN "i sum " AND "i sum
    | " NOT"i? " IN ("i (query | sum (COMMA sum)*) ")" | " NOT"i? " LIKE "i sum | " NOT"i? " GLOB "i sum
COMPARE: "=" | "==" | "<>" | "!=" | "<=" | ">=" | "<" | ">"
sum: atom (SP OPERATOR SP atom)*
OPERATOR: "+" | "-" | "*" | "/" | "%" | "||"
atom: "-"? (COLUMN | NUMBER | STRING | "NULL"i | call | "(" any ")" | "(" query ")" | "NOT "i? "EXISTS ("i query ")" | case
    | "CAST("i any " AS "i TYPE ")")
call: CALL ("DISTINCT "i? any (COMMA any)* | "*")? ")" (" OVER ("i window ")")?
window: ("PARTITION BY "i any (COMMA any)*)? ("ORDER BY "i term (COMMA term)* | order)?
case: "CASE"i (" WHEN "i any " THEN "i any)+ (" ELSE "i any)? " END"i
TYPE: "INTEGER"i | "REAL"i | "TEXT"i
COMMA: / ?, ?/
SP: / ?/
NUMBER: /[0-9]{{1,12}}(\.[0-9]{{1,6}})?/
STRING: /'([^'\n]|''){{0,80}}'/
SHORT: /[A-Za-z][A-Za-z0-9]{{0,2}}/ & ~/(?i)({reserved})/
NAMED: SHORT{given}
CALLED: (" AS "i | " ") (SHORT{given})
OF: (SHORT | {table_names}{given}) "."
WHOLE: OF "*"
COLUMN: OF? ({columns} | SHORT{given})
TABLE: {table_names} | SHORT{given}
CALL: ({functions}) "("
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
    fn no_hashtag_is_said_twice() {
        let v = bytes();
        let distinct = Distinct::new(v.rows(&[hashtags()]).expect("a grammar"), &v);
        let next = |answer: &str| match distinct.next(0, &answer.bytes().map(u32::from).collect::<Vec<_>>()) {
            Allowed::Only(tokens) => tokens,
            Allowed::Any => panic!("always restricts"),
        };
        let ends = |tokens: &[u32]| tokens.contains(&v.stop) || tokens.contains(&u32::from(b' '));
        assert!(ends(&next(" #a #b")) && ends(&next(" #a #ab")));
        assert!(!ends(&next(" #a #b #A")) && next(" #a #b #A").contains(&u32::from(b'b')));
        let long = format!(" #{0} #{0}", "a".repeat(40));
        assert!(ends(&next(&long)));
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
            "SELECT DISTINCT nome FROM clienti LEFT JOIN ordini o ON o.cliente_id = clienti.id AND importo BETWEEN 1 AND 2 WHERE o.id IS NULL",
            "SELECT CASE WHEN nato > 1980 THEN 'a' ELSE 'b' END, 100.0 * COUNT(*) / 3 FROM clienti GROUP BY 1 ORDER BY 2 DESC, nome LIMIT 3 OFFSET 1",
            "SELECT AVG(t.n) FROM (SELECT COUNT(*) AS n FROM ordini GROUP BY cliente_id) AS t",
            "SELECT nome FROM clienti WHERE citta IN ('Roma', 'Bari') OR NOT (citta LIKE 'M%') UNION SELECT importo FROM ordini",
            "SELECT RANK() OVER (PARTITION BY cliente_id ORDER BY importo DESC) FROM ordini WHERE id = -1",
            "WITH t AS (SELECT CAST(importo AS INTEGER) AS n FROM ordini) SELECT COUNT(DISTINCT n) FROM t",
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
        for cut in
            ["SELECT COUNT(*", "SELECT nome FROM", "SELECT nome FROM clienti GROUP BY", "SELECT nome FROM clienti WHERE citta =", "SELECT nome, FROM clienti"]
        {
            assert!(!accepts(&v, &g, &format!(" {cut}")), "{cut}");
        }
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
