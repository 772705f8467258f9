//! A reader of SQL text that is just strict enough.
//!
//! It splits a text into statements and refuses constructs that SQLite accepts
//! but that are not the same everywhere, or that the authoriser is not asked
//! about: defaults that are expressions (SQLite compiles them into `INSERT`
//! without asking), `ROLLBACK` as a conflict clause (it would end the group's
//! transaction), deferred constraints (they would fail the group's commit),
//! `AUTOINCREMENT` (its overflow looks like a full disk), floating point.
//!
//! It does not parse: what passes here may still be no SQL at all.

use crate::limits::MAX_PARAMETERS;

/// The tables that this crate keeps beside the application's.
pub(crate) const INTERNAL: &str = "_devflow_";

/// The one internal table that may be read.
pub(crate) const MIGRATIONS_TABLE: &str = "_devflow_migrations";

/// Words that no statement may contain unquoted.
const FORBIDDEN: &[&str] = &[
    "_rowid_",
    "autoincrement",
    "current_date",
    "current_time",
    "current_timestamp",
    "decimal",
    "deferrable",
    "deferred",
    "double",
    "float",
    "numeric",
    "real",
    "rollback",
    "rowid",
    "without",
];

/// Words that may not follow another.
const FORBIDDEN_PAIRS: &[(&str, &str)] = &[
    ("insert", "or"),
    ("update", "or"),
    ("replace", "into"),
    ("conflict", "abort"),
    ("conflict", "fail"),
    ("conflict", "ignore"),
    ("conflict", "replace"),
];

/// Why a text is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unportable {
    #[error("there is no statement")]
    Empty,
    #[error("more than one statement")]
    Several,
    #[error("'{0}' is not portable SQL")]
    Character(char),
    #[error("{0} is not portable or not deterministic SQL")]
    Words(String),
    #[error("a default must be a constant without parentheses")]
    DefaultExpression,
    #[error("floating-point number {0}")]
    Float(String),
    #[error("parameters are $1 to $9 and so on, not {0}")]
    Parameter(String),
    #[error("{0} is internal")]
    Internal(String),
    #[error("a string, quoted name or comment does not end")]
    Unterminated,
}

/// One statement of a text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Piece<'a> {
    /// Its text, without the semicolon.
    pub(crate) text: &'a str,
    /// Its first word, in lower case.
    pub(crate) verb: String,
    /// Which parameters it names, ascending.
    pub(crate) params: Vec<u16>,
}

/// The only statement of a text.
pub(crate) fn single(sql: &str) -> Result<Piece<'_>, Unportable> {
    let mut pieces = split(sql)?;
    match pieces.pop() {
        Some(piece) if pieces.is_empty() => Ok(piece),
        Some(_) => Err(Unportable::Several),
        None => Err(Unportable::Empty),
    }
}

/// All statements of a text.
pub(crate) fn split(sql: &str) -> Result<Vec<Piece<'_>>, Unportable> {
    let mut lexer = Lexer { sql, at: 0 };
    let mut pieces = Vec::new();
    let mut piece = Building::default();
    while let Some(token) = lexer.next()? {
        match token {
            Token::Semicolon => pieces.extend(piece.finish(sql, lexer.at - 1)),
            Token::Word(word) => piece.word(word, lexer.at - word.len())?,
            Token::Parameter(number) => piece.params.push(number),
            Token::Open if piece.previous == "default" => {
                return Err(Unportable::DefaultExpression);
            }
            Token::Open | Token::Other => piece.previous.clear(),
        }
    }
    pieces.extend(piece.finish(sql, sql.len()));
    Ok(pieces)
}

#[derive(Default)]
struct Building {
    start: usize,
    verb: String,
    params: Vec<u16>,
    previous: String,
}

impl Building {
    fn word(&mut self, word: &str, start: usize) -> Result<(), Unportable> {
        let word = word.to_ascii_lowercase();
        if FORBIDDEN.contains(&word.as_str()) {
            return Err(Unportable::Words(word));
        }
        if FORBIDDEN_PAIRS.contains(&(&self.previous, &word)) {
            return Err(Unportable::Words(format!("{} {word}", self.previous)));
        }
        if self.verb.is_empty() {
            self.verb.clone_from(&word);
            self.start = start;
        }
        self.previous = word;
        Ok(())
    }

    fn finish<'a>(&mut self, sql: &'a str, end: usize) -> Option<Piece<'a>> {
        let mut done = std::mem::take(self);
        if done.verb.is_empty() {
            return None;
        }
        done.params.sort_unstable();
        done.params.dedup();
        Some(Piece {
            text: &sql[done.start..end],
            verb: done.verb,
            params: done.params,
        })
    }
}

enum Token<'a> {
    Word(&'a str),
    Parameter(u16),
    Semicolon,
    Open,
    Other,
}

struct Lexer<'a> {
    sql: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    fn next(&mut self) -> Result<Option<Token<'a>>, Unportable> {
        loop {
            let rest = &self.sql[self.at..];
            let Some(first) = rest.chars().next() else {
                return Ok(None);
            };
            if first.is_ascii_whitespace() {
                self.at += 1;
            } else if rest.starts_with("--") {
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else if rest.starts_with("/*") {
                self.at += rest.find("*/").ok_or(Unportable::Unterminated)? + 2;
            } else {
                return self.token(rest, first).map(Some);
            }
        }
    }

    fn token(&mut self, rest: &'a str, first: char) -> Result<Token<'a>, Unportable> {
        match first {
            ';' => self.take(1, Token::Semicolon),
            '(' => self.take(1, Token::Open),
            '\'' => {
                let (_, len) = quoted(rest, '\'')?;
                self.take(len, Token::Other)
            }
            '"' => {
                let (name, len) = quoted(rest, '"')?;
                check_internal(name)?;
                self.take(len, Token::Other)
            }
            '$' => self.parameter(rest),
            '0'..='9' => self.number(rest),
            '.' if rest[1..].starts_with(|c: char| c.is_ascii_digit()) => Err(Unportable::Float(
                take_while(rest, |c| c == '.' || is_word(c)).to_owned(),
            )),
            ')' | ',' | '.' | '*' | '+' | '-' | '/' | '%' | '<' | '>' | '=' | '!' | '|' | '&'
            | '~' => self.take(1, Token::Other),
            _ if is_word(first) => {
                let word = take_while(rest, is_word);
                check_internal(word)?;
                self.take(word.len(), Token::Word(word))
            }
            _ => Err(Unportable::Character(first)),
        }
    }

    fn take(&mut self, len: usize, token: Token<'a>) -> Result<Token<'a>, Unportable> {
        self.at += len;
        Ok(token)
    }

    fn parameter(&mut self, rest: &'a str) -> Result<Token<'a>, Unportable> {
        let name = take_while(&rest[1..], is_word);
        match name.parse() {
            Ok(number) if (1..=MAX_PARAMETERS).contains(&number) && !name.starts_with('0') => {
                self.take(1 + name.len(), Token::Parameter(number))
            }
            _ => Err(Unportable::Parameter(format!("${name}"))),
        }
    }

    fn number(&mut self, rest: &'a str) -> Result<Token<'a>, Unportable> {
        let number = take_while(rest, |c| c == '.' || is_word(c));
        if !number.bytes().all(|byte| byte.is_ascii_digit()) || number.parse::<i64>().is_err() {
            return Err(Unportable::Float(number.to_owned()));
        }
        self.take(number.len(), Token::Other)
    }
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

fn take_while(text: &str, wanted: impl Fn(char) -> bool) -> &str {
    &text[..text.find(|c| !wanted(c)).unwrap_or(text.len())]
}

/// What is between quotes, still with doubled quotes, and the length with them.
fn quoted(rest: &str, quote: char) -> Result<(&str, usize), Unportable> {
    let mut from = 1;
    loop {
        let end = from + rest[from..].find(quote).ok_or(Unportable::Unterminated)?;
        if !rest[end + 1..].starts_with(quote) {
            return Ok((&rest[1..end], end + 1));
        }
        from = end + 2;
    }
}

fn check_internal(name: &str) -> Result<(), Unportable> {
    let lower = name.to_ascii_lowercase();
    if lower.starts_with(INTERNAL) && lower != MIGRATIONS_TABLE {
        return Err(Unportable::Internal(name.to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Unportable, single, split};

    #[test]
    fn a_text_is_split_at_semicolons_outside_of_quotes_and_comments() {
        let sql =
            "; CREATE TABLE a (b TEXT DEFAULT ';'); -- x;y\n/* ; */ Drop table \"c;\"\"d\" ;;";
        let pieces = split(sql).unwrap();
        let texts: Vec<_> = pieces
            .iter()
            .map(|p| (p.verb.as_str(), p.text.trim()))
            .collect();
        let expected = [
            ("create", "CREATE TABLE a (b TEXT DEFAULT ';')"),
            ("drop", "Drop table \"c;\"\"d\""),
        ];
        assert_eq!(texts, expected);
    }

    #[test]
    fn parameters_are_collected_once_each() {
        let piece = single("SELECT $2, $10, '$3' FROM t WHERE a = $2 -- $4").unwrap();
        assert_eq!(piece.params, [2, 10]);
    }

    #[test]
    fn portable_statements_pass() {
        for sql in [
            "SELECT a.b, count(*) FROM t AS a WHERE NOT (x <> 1 OR y != $1) GROUP BY 1 LIMIT 5;",
            "INSERT INTO t (a) VALUES ($1) ON CONFLICT (a) DO UPDATE SET b = excluded.b",
            "INSERT INTO t (a) VALUES ($1) ON CONFLICT DO NOTHING",
            "UPDATE t SET a = replace(a, 'x', 'y') WHERE naïve = 'ROLLBACK -- real'",
            "WITH real_names AS (SELECT 1) SELECT * FROM real_names -- the end",
            "CREATE TABLE t (a BIGINT DEFAULT -1, b TEXT NOT NULL DEFAULT 'x')",
        ] {
            assert!(single(sql).is_ok(), "{sql}: {:?}", single(sql));
        }
    }

    #[test]
    fn what_is_not_portable_is_named() {
        let words = |words: &str| Unportable::Words(words.to_owned());
        for (sql, expected) in [
            ("", Unportable::Empty),
            (" ; -- nothing", Unportable::Empty),
            ("SELECT 1; SELECT 2", Unportable::Several),
            ("SELECT 1; garbage", Unportable::Several),
            ("SELECT ?", Unportable::Character('?')),
            ("SELECT :a", Unportable::Character(':')),
            ("SELECT @a", Unportable::Character('@')),
            ("SELECT `a`", Unportable::Character('`')),
            ("SELECT [a]", Unportable::Character('[')),
            ("SELECT 1\0", Unportable::Character('\0')),
            ("SELECT $a", Unportable::Parameter("$a".to_owned())),
            ("SELECT $0", Unportable::Parameter("$0".to_owned())),
            ("SELECT $01", Unportable::Parameter("$01".to_owned())),
            ("SELECT $1a", Unportable::Parameter("$1a".to_owned())),
            ("SELECT $2001", Unportable::Parameter("$2001".to_owned())),
            ("SELECT 1.5", Unportable::Float("1.5".to_owned())),
            ("SELECT .5", Unportable::Float(".5".to_owned())),
            ("SELECT 1e3", Unportable::Float("1e3".to_owned())),
            (
                "SELECT 9223372036854775808",
                Unportable::Float("9223372036854775808".to_owned()),
            ),
            ("SELECT 'a", Unportable::Unterminated),
            ("SELECT \"a", Unportable::Unterminated),
            ("SELECT 1 /* x", Unportable::Unterminated),
            ("SELECT Current_Timestamp", words("current_timestamp")),
            ("SELECT CAST(1 AS REAL)", words("real")),
            ("INSERT OR ROLLBACK INTO t VALUES (1)", words("insert or")),
            ("REPLACE /* */ INTO t VALUES (1)", words("replace into")),
            (
                "CREATE TABLE t (a TEXT UNIQUE ON CONFLICT IGNORE)",
                words("conflict ignore"),
            ),
            (
                "CREATE TABLE t (a TEXT DEFAULT (random()))",
                Unportable::DefaultExpression,
            ),
            (
                "CREATE TABLE t (a BIGINT DEFAULT\n/**/(1))",
                Unportable::DefaultExpression,
            ),
            (
                "DELETE FROM _DevFlow_state",
                Unportable::Internal("_DevFlow_state".to_owned()),
            ),
            (
                "DELETE FROM \"_devflow_x\"",
                Unportable::Internal("_devflow_x".to_owned()),
            ),
        ] {
            assert_eq!(single(sql), Err(expected), "{sql}");
        }
    }
}
