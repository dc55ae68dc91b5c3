//! Forms of queries that work something out: columns of a row held against each other or calculated with, days between
//! dates, shares, spans of time, answers that depend on a condition, rows that refer to others of their own table.

use super::{Pair, Place, Writer, alias};
use crate::facts::{Field, Link, What};
use crate::prompt::filled;
use rand::RngExt;
use rand::seq::IndexedRandom;

impl<'f> Writer<'f> {
    /// A pair of one of the forms of this file.
    pub(super) fn further(&mut self) -> Option<Pair> {
        match self.rng.random_range(0..66) {
            0..8 => self.looked_up(),
            8..14 => self.compared(),
            14..17 => self.worked_out(),
            17..22 => self.worked_out_in_all(),
            22..27 => self.worked_out_by_parent(),
            27..32 => self.by_time(),
            32..35 => self.share(),
            35..38 => self.instead(),
            38..41 => self.either(),
            41..46 => self.superior(),
            46..48 => self.alike(),
            48..53 => self.most_in_all(),
            53..56 => self.beside(),
            56..60 => self.by_parent(),
            60..62 => self.extremes(),
            62..64 => self.both(),
            _ => self.joined(),
        }
    }

    /// Rows that a condition leaves: how many, or which.
    fn told(&mut self, place: &Place<'f>, said: &str, filter: &str) -> Pair {
        if self.rng.random_bool(0.25) {
            let template = self.how_many();
            return (self.about(template, place.thing, &[("{w}", said)]), format!("SELECT COUNT(*) FROM {}{filter}", place.thing.name));
        }
        let (fields, usual) = self.asked(place);
        self.listed(place, (&fields, usual), said, filter)
    }

    /// Columns of one row: `il prezzo di X?`
    fn looked_up(&mut self) -> Option<Pair> {
        let place = self.place()?;
        let (row, sql) = self.row(&place)?;
        let shown = place.shown();
        let others: Vec<&'f Field> = place.thing.fields.iter().filter(|f| !shown.iter().any(|s| s.name == f.name)).collect();
        let wanted = [1, 1, 1, 2][self.rng.random_range(0..4)];
        let fields: Vec<&'f Field> = others.sample(&mut self.rng, wanted).copied().collect();
        let columns = self.named(&fields);
        let template = self.way(
            &["{c} di {a}?", "qual è {c} di {a}?", "dimmi {c} di {a}.", "di {a} mi serve {c}.", "{c} di {a}.", "che {c} ha {a}?", "{a}: {c}?"],
            &["{c} of {a}?", "what is the {c} of {a}?", "tell me the {c} of {a}.", "which {c} does {a} have?"],
        );
        let text = filled(template, &[("{c}", &columns), ("{a}", &row)]);
        Some((text, format!("SELECT {} FROM {} WHERE {sql}", place.columns(&fields), place.thing.name)))
    }

    /// Two columns of numbers, or of days, of a table, in its order.
    fn two(&mut self, place: &Place<'f>, fits: impl Fn(&What) -> bool) -> Option<(&'f Field, &'f Field)> {
        let all: Vec<&'f Field> = place.thing.fields.iter().filter(|f| fits(&f.what)).collect();
        let first = self.rng.random_range(0..all.len().checked_sub(1).filter(|n| *n > 0)?);
        let second = self.rng.random_range(first + 1..all.len());
        Some((all[first], all[second]))
    }

    /// Rows where one column is more or less than another, or than some times the other.
    fn compared(&mut self) -> Option<Pair> {
        let place = self.place()?;
        let dates = self.rng.random_bool(0.3);
        let (mut first, mut second) = self.two(&place, |what| if dates { matches!(what, What::Date(_)) } else { matches!(what, What::Number(..)) })?;
        if self.rng.random_bool(0.5) {
            std::mem::swap(&mut first, &mut second);
        }
        let (a, b) = (place.column(&first.name), place.column(&second.name));
        let (how, sql) = if dates {
            let days = self.rng.random_range(1..20_u32);
            let (how, sql) = match self.rng.random_range(0..3) {
                0 => (self.way(&["con {f} dopo {g}", "con {f} successiva a {g}"], &["with {f} after {g}"]), format!("{a} > {b}")),
                1 => (
                    self.way(
                        &["con più di {n} giorni fra {g} e {f}", "con {f} oltre {n} giorni dopo {g}"],
                        &["with more than {n} days between {g} and {f}", "with {f} more than {n} days after {g}"],
                    ),
                    format!("julianday({a}) - julianday({b}) > {days}"),
                ),
                _ => (
                    self.way(
                        &["con {f} entro {n} giorni da {g}", "con al massimo {n} giorni fra {g} e {f}"],
                        &["with {f} within {n} days of {g}", "with at most {n} days between {g} and {f}"],
                    ),
                    format!("julianday({a}) - julianday({b}) <= {days}"),
                ),
            };
            (filled(how, &[("{n}", &days.to_string())]), sql)
        } else {
            let times = self.rng.random_range(2..5_usize);
            const TIMES: [[&str; 3]; 2] = [["doppio", "triplo", "quadruplo"], ["twice", "three times", "four times"]];
            let often = TIMES[usize::from(!self.italian)][times - 2];
            let (how, sql) = match self.rng.random_range(0..6) {
                0 | 1 => (
                    self.way(
                        &["con {f} sotto {g}", "con {f} minore di {g}", "con {f} inferiore a {g}", "con meno {f} che {g}"],
                        &["with {f} below {g}", "with less {f} than {g}"],
                    ),
                    format!("{a} < {b}"),
                ),
                2 | 3 => (
                    self.way(
                        &["con {f} sopra {g}", "con {f} maggiore di {g}", "con {f} superiore a {g}", "con più {f} che {g}"],
                        &["with {f} above {g}", "with more {f} than {g}"],
                    ),
                    format!("{a} > {b}"),
                ),
                4 => (
                    self.way(&["con {f} oltre il {n} di {g}", "con {f} più del {n} di {g}", "con {f} superiore al {n} di {g}"], &["with {f} over {n} {g}"]),
                    format!("{a} > {times} * {b}"),
                ),
                _ => (
                    self.way(&["con {f} almeno il {n} di {g}", "con {f} di almeno il {n} di {g}"], &["with {f} at least {n} {g}"]),
                    format!("{a} >= {times} * {b}"),
                ),
            };
            (filled(how, &[("{n}", often)]), sql)
        };
        let (f, g) = (self.said(first), self.said(second));
        let how = filled(&how, &[("{f}", f), ("{g}", g)]);
        let more = if self.rng.random_bool(0.3) { self.condition(&place) } else { None };
        let (also, and) = more.map_or_else(Default::default, |(_, how, sql)| (format!(" {how}"), format!(" AND {sql}")));
        Some(self.told(&place, &format!("{also} {how}"), &format!(" WHERE {sql}{and}")))
    }

    /// A value worked out from columns of a row: how it is said, and as SQL.
    fn value(&mut self, place: &Place<'f>) -> Option<Pair> {
        if self.rng.random_bool(0.2)
            && let Some((from, to)) = self.two(place, |what| matches!(what, What::Date(_)))
        {
            let how = self
                .way(&["giorni tra {f} e {g}", "giorni passati da {f} a {g}", "giorni fra {f} e {g}"], &["days between {f} and {g}", "days from {f} to {g}"]);
            let text = filled(how, &[("{f}", self.said(from)), ("{g}", self.said(to))]);
            return Some((text, format!("julianday({}) - julianday({})", place.column(&to.name), place.column(&from.name))));
        }
        // a column of parts of one, as a discount is
        let part = |what: &What| matches!(what, What::Number(all, false) if all.iter().all(|n| (0.0..1.0).contains(n)));
        let (first, second) = self.two(place, |what| matches!(what, What::Number(..)) && !part(what))?;
        let (f, g) = (self.said(first), self.said(second));
        let (a, b) = (place.column(&first.name), place.column(&second.name));
        let off = place.thing.fields.iter().find(|field| part(&field.what));
        let kind = if off.is_some() && self.rng.random_bool(0.7) { 5 } else { self.rng.random_range(0..5) };
        let (how, sql) = match kind {
            0 | 1 => (
                self.way(
                    &["{f} per {g}", "{f} moltiplicato per {g}", "valore ({f} per {g})", "prodotto di {f} e {g}"],
                    &["{f} times {g}", "value ({f} times {g})"],
                ),
                format!("{a} * {b}"),
            ),
            2 => (self.way(&["differenza tra {f} e {g}", "{f} meno {g}"], &["difference between {f} and {g}", "{f} minus {g}"]), format!("{a} - {b}")),
            3 => (self.way(&["{f} in percentuale di {g}", "percentuale di {f} su {g}"], &["{f} as a percentage of {g}"]), format!("100.0 * {a} / {b}")),
            4 => {
                let by = [2, 10, 12, 100][self.rng.random_range(0..4)];
                let how = self.way(&["{f} diviso {n}", "{f} diviso per {n}"], &["{f} divided by {n}"]);
                return Some((filled(how, &[("{f}", f), ("{n}", &by.to_string())]), format!("{a} / {by}")));
            }
            _ => {
                let off = off?;
                let (name, column) = (self.said(off), place.column(&off.name));
                if self.rng.random_bool(0.5) {
                    let how = self.way(&["{f} al netto di {h}", "{f} già scontato", "{f} tolto {h}"], &["{f} net of {h}", "{f} less {h}"]);
                    return Some((filled(how, &[("{f}", f), ("{h}", name)]), format!("{a} * (1 - {column})")));
                }
                let how = self.way(
                    &["importo netto ({f} per {g}, tolto {h})", "{f} per {g} al netto di {h}", "valore netto, {h} applicato", "totale netto"],
                    &["net amount ({f} times {g}, less {h})", "{f} times {g} net of {h}"],
                );
                return Some((filled(how, &[("{f}", f), ("{g}", g), ("{h}", name)]), format!("{a} * {b} * (1 - {column})")));
            }
        };
        Some((filled(how, &[("{f}", f), ("{g}", g)]), sql))
    }

    /// A value worked out for each row.
    fn worked_out(&mut self) -> Option<Pair> {
        let place = self.place()?;
        let (value, sql) = self.value(&place)?;
        let (said, filter) = self.conditions(&place, 1);
        let shown = place.shown();
        let columns = self.named(&shown);
        let template = self.way(&["{c} e {v} {d}{w}.", "{t}{w}: {c} e {v}.", "di ognuno {d}{w}, {v}."], &["{c} and {v} {d}{w}.", "{t}{w}: {c} and {v}."]);
        let text = self.about(template, place.thing, &[("{c}", &columns), ("{v}", &value), ("{w}", &said)]);
        Some((text, format!("SELECT {}, {sql} FROM {}{filter}", place.columns(&shown), place.thing.name)))
    }

    /// A total or a mean of a value worked out: how it is said, and as SQL.
    fn in_all(&mut self, place: &Place<'f>) -> Option<Pair> {
        let (value, sql) = self.value(place)?;
        let (how, function) = match sql.starts_with("julianday") || self.rng.random_bool(0.2) {
            true => (self.way(&["media di {v}", "{v} in media"], &["average {v}", "{v} on average"]), "AVG"),
            false => (self.way(&["totale di {v}", "{v} in tutto", "{v} complessivo", "somma di {v}"], &["total {v}", "{v} in all", "sum of {v}"]), "SUM"),
        };
        Some((filled(how, &[("{v}", &value)]), format!("{function}({sql})")))
    }

    /// Such a total of all rows, of each value of a column, or of the rows that belong to one of another table.
    fn worked_out_in_all(&mut self) -> Option<Pair> {
        if self.rng.random_bool(0.4) {
            let (parent, child, on, _) = self.family()?;
            let (value, sql) = self.in_all(&child)?;
            let (row, filter) = self.of_row(&parent)?;
            let template = self.way(&["{v} {d} {r}.", "{v} {r}.", "qual è {v} {r}?"], &["{v} {d} {r}.", "what is the {v} {r}?"]);
            let text = self.about(template, child.thing, &[("{v}", &value), ("{r}", &row)]);
            let from = child.joined(&parent, &on);
            return Some((text, format!("SELECT {sql} FROM {from}{filter}")));
        }
        let place = self.place()?;
        let (value, sql) = self.in_all(&place)?;
        let (said, filter) = self.conditions(&place, 0);
        if self.rng.random_bool(0.3)
            && let Some(by) = self.field(&place, |f| f.shared && matches!(f.what, What::Text(_) | What::Key))
        {
            let template = self.way(&["{v} {d}{w} per {f}.", "{v} {d}{w} per ogni {f}."], &["{v} {d}{w} per {f}.", "for each {f}, {v} {d}{w}."]);
            let name = self.said(by);
            let text = self.about(template, place.thing, &[("{v}", &value), ("{w}", &said), ("{f}", name)]);
            return Some((text, format!("SELECT {}, {sql} FROM {}{filter} GROUP BY {}", by.name, place.thing.name, by.name)));
        }
        let template = self.way(&["{v} {d}{w}.", "qual è {v} {d}{w}?", "quanto fa {v} {d}{w}?"], &["{v} {d}{w}.", "what is the {v} {d}{w}?"]);
        let text = self.about(template, place.thing, &[("{v}", &value), ("{w}", &said)]);
        Some((text, format!("SELECT {sql} FROM {}{filter}", place.thing.name)))
    }

    /// Such a total for each row of another table.
    fn worked_out_by_parent(&mut self) -> Option<Pair> {
        let (parent, child, on, link) = self.family()?;
        let (value, sql) = match self.rng.random_bool(0.5) {
            true => self.in_all(&child)?,
            false => self.function(&child)?,
        };
        let (said, filter) = if self.rng.random_bool(0.3) { self.conditions(&child, 1) } else { Default::default() };
        self.each(&parent, (&child, &on, link), (&value, &sql), (&said, &filter))
    }

    /// How many rows belong to each of another table, said by what the other is to them: `quanti ordini per cliente?`
    fn by_parent(&mut self) -> Option<Pair> {
        let (parent, child, on, link) = self.family()?;
        let (said, filter) = if self.rng.random_bool(0.4) { self.conditions(&child, 1) } else { Default::default() };
        let value = self.way(&["numero"], &["number"]);
        self.each(&parent, (&child, &on, link), (value, "COUNT(*)"), (&said, &filter))
    }

    /// A function over the rows of a child for each row of its parent, perhaps in the order of what it gives.
    fn each(
        &mut self,
        parent: &Place<'f>,
        (child, on, link): (&Place<'f>, &str, &'f Link),
        (value, sql): (&str, &str),
        (said, filter): (&str, &str),
    ) -> Option<Pair> {
        let (order, by) = match self.rng.random_range(0..4) {
            0 => (self.way(&[", dal più alto al più basso", ", in ordine decrescente"], &[", highest first"]), format!(" ORDER BY {sql} DESC")),
            1 => (self.way(&[", dal più basso al più alto", ", in ordine crescente"], &[", lowest first"]), format!(" ORDER BY {sql}")),
            _ => ("", String::new()),
        };
        let template = self.way(
            &["{v} {d}{w} per {s}{o}.", "{v} {d}{w} per ciascun {s}{o}.", "per ogni {s}, {v} {d}{w}{o}.", "{s} e {v} {d}{w}{o}."],
            &["{v} {d}{w} per {s}{o}.", "for each {s}, {v} {d}{w}{o}."],
        );
        let text = self.about(template, child.thing, &[("{v}", value), ("{w}", said), ("{s}", &link.said), ("{o}", order)]);
        let shown = parent.shown();
        let from = parent.joined(child, on);
        Some((text, format!("SELECT {}, {sql} FROM {from}{filter} GROUP BY {}{by}", parent.columns(&shown), parent.column(&link.to))))
    }

    /// The rows of a table whose rows of another add up to most, or have the largest mean.
    fn most_in_all(&mut self) -> Option<Pair> {
        let (parent, child, on, link) = self.family()?;
        let (value, sql) = match self.rng.random_bool(0.3) {
            true => self.in_all(&child)?,
            false => {
                let field = self.field(&child, |f| matches!(f.what, What::Number(..)))?;
                let how = self.way(&["{f} in tutto", "totale di {f}", "{f}"], &["{f} in all", "total {f}"]);
                (filled(how, &[("{f}", self.said(field))]), format!("SUM({})", child.column(&field.name)))
            }
        };
        let (number, told) = ([1, 1, 1, 3, 5][self.rng.random_range(0..5)], self.rng.random_bool(0.4));
        let (template, count) = match number {
            1 => (
                self.way(&["quale {d} ha più {v} {e}?", "fra {i}, quello con più {v} {e}.", "il primo {d} per {v} {e}."], &["which {d} has the most {v} {e}?"]),
                String::new(),
            ),
            n => (self.way(&["i primi {n} {t} per {v} {e}.", "{n} {t} con più {v} {e}."], &["the {n} {t} with the most {v} {e}."]), n.to_string()),
        };
        let of = self.about("{d}", child.thing, &[]);
        let also = if told { self.way(&[" E quanto?", " Anche il totale."], &[" And how much?"]) } else { "" };
        let text = self.about(template, parent.thing, &[("{v}", &value), ("{e}", &of), ("{n}", &count)]) + also;
        let (shown, more) = (parent.shown(), if told { format!(", {sql}") } else { String::new() });
        let from = parent.joined(&child, &on);
        let key = parent.column(&link.to);
        Some((text, format!("SELECT {}{more} FROM {from} GROUP BY {key} ORDER BY {sql} DESC LIMIT {number}", parent.columns(&shown))))
    }

    /// A count or another function for each year or month.
    fn by_time(&mut self) -> Option<Pair> {
        let place = self.place()?;
        let by = self.field(&place, |f| matches!(f.what, What::Date(_)))?;
        let (said, filter) = if self.rng.random_bool(0.4) { self.conditions(&place, 1) } else { Default::default() };
        let (value, sql) = match self.rng.random_bool(0.75) {
            true => (self.way(&["numero", "quanti"], &["number"]).to_string(), "COUNT(*)".to_string()),
            false => self.function(&place)?,
        };
        let (of, form) = match self.rng.random_range(0..4) {
            0 => (self.way(&["per mese di {f}", "per ogni mese ({f})"], &["per month of {f}"]), "%Y-%m"),
            _ => (self.way(&["per anno", "per anno di {f}", "ogni anno ({f})", "anno per anno"], &["per year", "per year of {f}"]), "%Y"),
        };
        let of = filled(of, &[("{f}", self.said(by))]);
        let span = format!("strftime('{form}', {})", by.name);
        let (order, sorted) = match self.rng.random_bool(0.3) {
            true => (self.way(&[", in ordine cronologico", ", dal primo all'ultimo"], &[", in chronological order"]), format!(" ORDER BY {span}")),
            false => ("", String::new()),
        };
        let template = self.way(&["{v} {d}{w} {y}{o}.", "{t}{w} {y}: {v}{o}.", "{y}, {v} {d}{w}{o}."], &["{v} {d}{w} {y}{o}.", "{t}{w} {y}: {v}{o}."]);
        let text = self.about(template, place.thing, &[("{v}", &value), ("{w}", &said), ("{y}", &of), ("{o}", order)]);
        Some((text, format!("SELECT {span}, {sql} FROM {}{filter} GROUP BY {span}{sorted}", place.thing.name)))
    }

    /// What share of the rows meets a condition, as a percentage.
    fn share(&mut self) -> Option<Pair> {
        let place = self.place()?;
        let (field, how, sql) = self.condition(&place)?;
        let met = match sql.strip_prefix(&field.name) {
            Some(" = 1") if field.what == What::Flag => format!("SUM({})", field.name),
            Some(" IS NOT NULL") => format!("COUNT({})", field.name),
            _ => format!("SUM({sql})"),
        };
        let template = self.way(
            &["percentuale {d} {w}.", "che percentuale {d} è {w}?", "qual è la quota in percentuale {d} {w}?"],
            &["percentage {d} {w}.", "what percentage {d} is {w}?"],
        );
        let text = self.about(template, place.thing, &[("{w}", &how)]);
        Some((text, format!("SELECT 100.0 * {met} / COUNT(*) FROM {}", place.thing.name)))
    }

    /// A column with something else where it is empty.
    fn instead(&mut self) -> Option<Pair> {
        let place = self.place()?;
        let field = self.field(&place, |f| f.missing && f.what != What::Key)?;
        let (said, filter) = self.conditions(&place, 0);
        let shown: Vec<&'f Field> = place.shown().into_iter().filter(|s| s.name != field.name).collect();
        let columns = self.named(&shown);
        let word = self.way(&["nessuno", "sconosciuto", "non indicato", "manca", "nessuna"], &["none", "unknown", "missing"]);
        let template = self.way(
            &["{c} e {f} {d}{w}; se manca {f} scrivi \"{a}\".", "{t}{w}: {c} e {f}, con \"{a}\" dove non c'è.", "{c}, {f} {d}{w} (\"{a}\" se assente)."],
            &["{c} and {f} {d}{w}; write \"{a}\" where there is none.", "{t}{w}: {c} and {f}, \"{a}\" if missing."],
        );
        let name = self.said(field);
        let text = self.about(template, place.thing, &[("{c}", &columns), ("{f}", name), ("{w}", &said), ("{a}", word)]);
        let columns = if shown.is_empty() { String::new() } else { place.columns(&shown) + ", " };
        Some((text, format!("SELECT {columns}COALESCE({}, '{word}') FROM {}{filter}", field.name, place.thing.name)))
    }

    /// One of two words for each row, by a condition.
    fn either(&mut self) -> Option<Pair> {
        let place = self.place()?;
        let (_, how, sql) = self.condition(&place)?;
        let (said, filter) = self.conditions(&place, 0);
        let shown = place.shown();
        let columns = self.named(&shown);
        let words: &[(&str, &str)] = if self.italian {
            &[("sì", "no"), ("alto", "basso"), ("rapido", "lento"), ("vecchio", "nuovo"), ("presente", "assente")]
        } else {
            &[("yes", "no"), ("high", "low"), ("old", "new")]
        };
        let (yes, no) = *words.choose(&mut self.rng)?;
        let template = self.way(
            &[
                "{c} {d}{w} e \"{y}\" per quelli {k}, altrimenti \"{n}\".",
                "per ognuno {d}{w} {c} e \"{y}\" se {k}, \"{n}\" altrimenti.",
                "scrivi {c} {d}{w} e \"{y}\" se {k}, se no \"{n}\".",
            ],
            &["{c} {d}{w} and \"{y}\" for those {k}, otherwise \"{n}\".", "for each {d}{w} {c} and \"{y}\" if {k}, else \"{n}\"."],
        );
        let text = self.about(template, place.thing, &[("{c}", &columns), ("{w}", &said), ("{k}", &how), ("{y}", yes), ("{n}", no)]);
        Some((text, format!("SELECT {}, CASE WHEN {sql} THEN '{yes}' ELSE '{no}' END FROM {}{filter}", place.columns(&shown), place.thing.name)))
    }

    /// Rows that refer to others of their own table: `chi è il responsabile di X?`
    fn superior(&mut self) -> Option<Pair> {
        let facts = self.facts;
        let link = facts.links.iter().filter(|l| l.child == l.parent).collect::<Vec<_>>().choose(&mut self.rng).copied()?;
        let thing = &facts.tables[link.child];
        let own = alias(thing, &[]);
        let other = Place {
            thing,
            alias: link.said.chars().next().filter(|c| c.is_ascii_alphabetic() && !own.alias.starts_with(*c)).map_or("x".into(), |c| c.to_string()),
        };
        let (shown, key, to, name) = (own.shown(), &link.key, &link.to, &thing.name);
        let columns = self.named(&shown);
        let join = |a: &Place, b: &Place| format!("{name} {} JOIN {name} {} ON {} = {}", a.alias, b.alias, other.column(to), own.column(key));
        let plain = Place { thing, alias: String::new() };
        let put = |template: &str, row: &str| filled(template, &[("{s}", &link.said), ("{c}", &columns), ("{a}", row)]);
        Some(match self.rng.random_range(0..5) {
            0 | 1 => {
                let (row, sql) = self.row(&own)?;
                let how = self.way(
                    &["chi è il {s} di {a}? {c}.", "come si chiama il {s} di {a}? {c}.", "{c} del {s} di {a}."],
                    &["who is the {s} of {a}? {c}.", "{c} of the {s} of {a}."],
                );
                (put(how, &row), format!("SELECT {} FROM {} WHERE {sql}", other.columns(&shown), join(&own, &other)))
            }
            2 => {
                let (row, sql) = self.row(&plain)?;
                let how = self.way(&["chi ha {a} come {s}? {c}.", "{c} di chi ha come {s} {a}."], &["who has {a} as {s}? {c}."]);
                (put(how, &row), format!("SELECT {} FROM {name} WHERE {key} = (SELECT {to} FROM {name} WHERE {sql})", plain.columns(&shown)))
            }
            3 => {
                let how = self.way(&["{c} {d} e del loro {s}.", "ognuno {d} con il suo {s}: {c} di entrambi."], &["{c} {d} and of their {s}."]);
                let text = self.about(&put(how, ""), thing, &[]);
                (text, format!("SELECT {}, {} FROM {}", own.columns(&shown), other.columns(&shown), join(&own, &other)))
            }
            _ => {
                let how = self
                    .way(&["{q} {t} ha ciascun {s}? {c} e numero.", "{c} di ogni {s} e numero {d}."], &["how many {t} does each {s} have? {c} and number."]);
                let text = self.about(&put(how, ""), thing, &[]);
                (text, format!("SELECT {}, COUNT(*) FROM {} GROUP BY {}", other.columns(&shown), join(&other, &own), other.column(to)))
            }
        })
    }

    /// Rows that share a value with a certain one.
    fn alike(&mut self) -> Option<Pair> {
        let place = self.place()?;
        let field = self.field(&place, |f| f.shared && f.what != What::Flag)?;
        let (row, sql) = self.row(&place)?;
        let (shown, name, table) = (place.shown(), self.said(field), &place.thing.name);
        let (columns, same) = (self.named(&shown), format!("{} = (SELECT {} FROM {table} WHERE {sql})", field.name, field.name));
        let template = self.way(
            &["{t} con lo stesso {f} di {a}, escluso {a}: {c}.", "chi {d} ha lo stesso {f} di {a}, a parte {a}? {c}."],
            &["{t} with the same {f} as {a}, without {a}: {c}."],
        );
        let text = self.about(template, place.thing, &[("{f}", name), ("{a}", &row), ("{c}", &columns)]);
        Some((text, format!("SELECT {} FROM {table} WHERE {same} AND NOT ({sql})", place.columns(&shown))))
    }

    /// Each row beside the one of another table that it belongs to.
    fn beside(&mut self) -> Option<Pair> {
        let (parent, child, on, link) = self.family()?;
        let (own, other) = (child.shown(), parent.shown());
        let (said, filter) = if self.rng.random_bool(0.5) { self.conditions(&child, 1) } else { Default::default() };
        let (columns, others) = (self.named(&own), self.named(&other));
        let template = self.way(
            &["{c} {d}{w} e {o} del {s}.", "abbina {i}{w} al loro {s}: {c}, {o}.", "{t}{w} con il {s}: {c} e {o}.", "di ognuno {d}{w}, {c} e {o} del {s}."],
            &["{c} {d}{w} and {o} of the {s}.", "{t}{w} with their {s}: {c} and {o}."],
        );
        let text = self.about(template, child.thing, &[("{c}", &columns), ("{w}", &said), ("{o}", &others), ("{s}", &link.said)]);
        let from = child.joined(&parent, &on);
        Some((text, format!("SELECT {}, {} FROM {from}{filter}", child.columns(&own), parent.columns(&other))))
    }

    /// The largest and the smallest of a column, perhaps for each value of another; or the second of its order.
    fn extremes(&mut self) -> Option<Pair> {
        let place = self.place()?;
        let field = self.field(&place, |f| matches!(f.what, What::Number(..) | What::Date(_)))?;
        let (name, column, table) = (self.said(field), &field.name, &place.thing.name);
        if self.rng.random_bool(0.3) {
            let template = self.way(&["il secondo {f} più alto {d}.", "qual è il secondo {f} {d}, dall'alto?"], &["the second highest {f} {d}."]);
            let text = self.about(template, place.thing, &[("{f}", name)]);
            return Some((text, format!("SELECT {column} FROM {table} ORDER BY {column} DESC LIMIT 1 OFFSET 1")));
        }
        let by = if self.rng.random_bool(0.5) { self.field(&place, |f| f.shared && matches!(f.what, What::Text(_))) } else { None };
        let each = by.map(|by| filled(self.way(&[" di ogni {g}", " per {g}", " in ciascun {g}"], &[" of each {g}", " per {g}"]), &[("{g}", self.said(by))]));
        let template = self.way(
            &["{f} più alto e più basso {d}{g}.", "{f} massimo e minimo {d}{g}.", "il {f} maggiore e il minore {d}{g}."],
            &["highest and lowest {f} {d}{g}.", "maximum and minimum {f} {d}{g}."],
        );
        let text = self.about(template, place.thing, &[("{f}", name), ("{g}", each.as_deref().unwrap_or_default())]);
        let (first, group) = by.map_or_else(Default::default, |by| (format!("{}, ", by.name), format!(" GROUP BY {}", by.name)));
        Some((text, format!("SELECT {first}MAX({column}), MIN({column}) FROM {table}{group}")))
    }

    /// What has rows of one kind and of another: `gli ordini con sconto sia 0.1 sia 0.2`.
    fn both(&mut self) -> Option<Pair> {
        let (parent, child, _, link) = self.family()?;
        let plain = Place { thing: child.thing, alias: String::new() };
        let (field, first, one) = self.condition(&plain)?;
        let (other, second, two) = self.condition(&plain)?;
        if field.name != other.name || one == two {
            return None;
        }
        let template = self.way(&["{t} che hanno {k} sia {a} sia {b}.", "{i} con {k} {a} e anche {k} {b}."], &["{t} that have {k} both {a} and {b}."]);
        let children = self.noun(child.thing);
        let text = self.about(template, parent.thing, &[("{k}", children), ("{a}", &first), ("{b}", &second)]);
        let rows = format!("SELECT {} FROM {} WHERE", link.key, child.thing.name);
        Some((text, format!("{rows} {one} INTERSECT {rows} {two}")))
    }

    /// What stands for a row, in one column.
    fn joined(&mut self) -> Option<Pair> {
        let place = self.place()?;
        let texts: Vec<&'f Field> = place.shown().into_iter().filter(|f| matches!(f.what, What::Text(_))).collect();
        let [first, second, ..] = texts.as_slice() else { return None };
        let (said, filter) = self.conditions(&place, 1);
        let (a, b) = (self.said(first), self.said(second));
        let template = self.way(
            &["{a} e {b} {d}{w} in una sola colonna.", "unisci {a} e {b} {d}{w} in un'unica colonna."],
            &["{a} and {b} {d}{w} in one column.", "join {a} and {b} {d}{w} into one column."],
        );
        let text = self.about(template, place.thing, &[("{a}", a), ("{b}", b), ("{w}", &said)]);
        Some((text, format!("SELECT {} || ' ' || {} FROM {}{filter}", first.name, second.name, place.thing.name)))
    }
}
