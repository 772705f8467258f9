//! A command line as git and its friends quote it, without a shell's powers.

use crate::CommandError;

/// Splits a line into words: `'…'` takes everything but a quote, `"…"` knows
/// `\"` and `\\`, and outside of quotes a backslash takes the next character.
/// Whatever a shell would act upon is refused.
pub(crate) fn split(line: &str) -> Result<Vec<String>, CommandError> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        if character.is_control() {
            return Err(CommandError::Quoting);
        }
        match character {
            ' ' => words.extend(word.take()),
            '\'' => quoted(&mut characters, '\'', word.get_or_insert_default())?,
            '"' => quoted(&mut characters, '"', word.get_or_insert_default())?,
            '\\' => {
                let next = characters.next().filter(|next| !next.is_control());
                let next = next.ok_or(CommandError::Quoting)?;
                word.get_or_insert_default().push(next);
            }
            plain if is_plain(plain) => word.get_or_insert_default().push(plain),
            _ => return Err(CommandError::Quoting),
        }
    }
    words.extend(word);
    Ok(words)
}

fn quoted(
    characters: &mut std::str::Chars<'_>,
    quote: char,
    word: &mut String,
) -> Result<(), CommandError> {
    while let Some(character) = characters.next() {
        match character {
            control if control.is_control() => return Err(CommandError::Quoting),
            end if end == quote => return Ok(()),
            '\\' if quote == '"' => match characters.next() {
                Some(escaped @ ('"' | '\\')) => word.push(escaped),
                _ => return Err(CommandError::Quoting),
            },
            '$' | '`' if quote == '"' => return Err(CommandError::Quoting),
            other => word.push(other),
        }
    }
    Err(CommandError::Quoting)
}

/// Characters that mean themselves to a shell.
fn is_plain(character: char) -> bool {
    character.is_alphanumeric() || "-_./:@%+=,~^".contains(character)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::split;
    use crate::CommandError;

    #[test]
    fn words_are_those_of_a_shell() {
        let cases: &[(&str, &[&str])] = &[
            ("", &[]),
            ("  a   b ", &["a", "b"]),
            (
                "git-upload-pack '/o/r.git'",
                &["git-upload-pack", "/o/r.git"],
            ),
            (
                "git-upload-pack \"/o/r.git\"",
                &["git-upload-pack", "/o/r.git"],
            ),
            ("a 'b c'd", &["a", "b cd"]),
            (r"a 'it'\''s' 'no'\!", &["a", "it's", "no!"]),
            (r#"a "x\"y\\z""#, &["a", "x\"y\\z"]),
            ("a ''", &["a", ""]),
            ("a ';rm -rf $HOME'", &["a", ";rm -rf $HOME"]),
            ("ä/ö", &["ä/ö"]),
        ];
        for (line, words) in cases {
            assert_eq!(split(line).unwrap(), *words, "{line}");
        }
    }

    #[test]
    fn what_a_shell_would_act_upon_is_refused() {
        for line in [
            "a;b", "a|b", "a&b", "a>b", "a<b", "$a", "`a`", "a*", "a?", "(a)", "{a}", "!a", "#a",
            "[a]", "a\nb", "'a\nb'", "'a", "\"a", "a\\", "\"$a\"", "\"`a`\"", "\"\\n\"", "a\0b",
            "a\tb",
        ] {
            assert_eq!(split(line), Err(CommandError::Quoting), "{line}");
        }
    }

    proptest! {
        #[test]
        fn what_git_quotes_is_read_back(words in proptest::collection::vec("[ -~]{0,20}", 0..5)) {
            let quote = |word: &String| {
                format!("'{}'", word.replace('\'', r"'\''").replace('!', r"'\!'"))
            };
            let line: Vec<String> = words.iter().map(quote).collect();
            assert_eq!(split(&line.join(" ")).unwrap(), words);
        }

        #[test]
        fn no_text_makes_it_panic(line in any::<String>()) {
            let _read = split(&line);
        }
    }
}
