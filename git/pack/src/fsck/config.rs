//! Git's configuration syntax, as far as `.gitmodules` needs it.

/// A variable as git names it: section and key in lower case, subsection as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Variable {
    pub(super) section: Vec<u8>,
    /// Between the first and the last dot of the full name; `None` without.
    pub(super) subsection: Option<Vec<u8>>,
    pub(super) key: Vec<u8>,
    /// `None` for a key without an equals sign.
    pub(super) value: Option<Vec<u8>>,
}

/// Reads variables one after the other up to the end or the first syntax error.
pub(super) struct Variables<'a> {
    rest: &'a [u8],
    at_end: bool,
    /// Full name of the current section.
    prefix: Vec<u8>,
}

impl<'a> Variables<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        let rest = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        Self {
            rest,
            at_end: false,
            prefix: Vec::new(),
        }
    }

    /// The next byte; a newline for CR LF and for the end.
    fn take(&mut self) -> u8 {
        match self.rest {
            [b'\r', b'\n', tail @ ..] => {
                self.rest = tail;
                b'\n'
            }
            [byte, tail @ ..] => {
                self.rest = tail;
                *byte
            }
            [] => {
                self.at_end = true;
                b'\n'
            }
        }
    }

    fn section(&mut self) -> Option<()> {
        self.prefix.clear();
        loop {
            match self.take() {
                _ if self.at_end => return None,
                b']' => return Some(()),
                byte if is_space(byte) => return self.subsection(byte),
                byte if is_key(byte) || byte == b'.' => self.prefix.push(byte.to_ascii_lowercase()),
                _ => return None,
            }
        }
    }

    fn subsection(&mut self, mut byte: u8) -> Option<()> {
        while is_space(byte) {
            if byte == b'\n' {
                return None;
            }
            byte = self.take();
        }
        if byte != b'"' {
            return None;
        }
        self.prefix.push(b'.');
        loop {
            match self.take() {
                b'\n' => return None,
                b'"' => break,
                b'\\' => match self.take() {
                    b'\n' => return None,
                    byte => self.prefix.push(byte),
                },
                byte => self.prefix.push(byte),
            }
        }
        (self.take() == b']').then_some(())
    }

    fn value(&mut self) -> Option<Vec<u8>> {
        let (mut value, mut quoted, mut comment, mut kept) = (Vec::new(), false, false, None);
        loop {
            let byte = self.take();
            if byte == b'\n' {
                if quoted {
                    return None;
                }
                if let Some(kept) = kept {
                    value.truncate(kept);
                }
                return Some(value);
            }
            if comment {
                continue;
            }
            if is_space(byte) && !quoted {
                if !value.is_empty() {
                    kept.get_or_insert(value.len());
                    value.push(byte);
                }
                continue;
            }
            if !quoted && matches!(byte, b';' | b'#') {
                comment = true;
                continue;
            }
            kept = None;
            match byte {
                b'\\' => match self.take() {
                    b'\n' => {}
                    b't' => value.push(b'\t'),
                    b'b' => value.push(8),
                    b'n' => value.push(b'\n'),
                    byte @ (b'\\' | b'"') => value.push(byte),
                    _ => return None,
                },
                b'"' => quoted = !quoted,
                byte => value.push(byte),
            }
        }
    }

    fn variable(&mut self, first: u8) -> Option<Variable> {
        let mut key = vec![first.to_ascii_lowercase()];
        let mut byte = self.take();
        while is_key(byte) {
            key.push(byte.to_ascii_lowercase());
            byte = self.take();
        }
        while matches!(byte, b' ' | b'\t') {
            byte = self.take();
        }
        let value = match byte {
            b'\n' => None,
            b'=' => Some(self.value()?),
            _ => return None,
        };
        let dot = self.prefix.iter().position(|byte| *byte == b'.');
        let section = self.prefix[..dot.unwrap_or(self.prefix.len())].to_vec();
        let subsection = dot.map(|dot| self.prefix[dot + 1..].to_vec());
        Some(Variable {
            section,
            subsection,
            key,
            value,
        })
    }

    fn skip_line(&mut self) {
        while self.take() != b'\n' {}
    }
}

impl Iterator for Variables<'_> {
    type Item = Variable;

    fn next(&mut self) -> Option<Variable> {
        loop {
            match self.take() {
                _ if self.at_end => return None,
                b'#' | b';' => self.skip_line(),
                b'[' => self.section()?,
                byte if is_space(byte) => {}
                byte if byte.is_ascii_alphabetic() => {
                    let variable = self.variable(byte);
                    if variable.is_none() {
                        self.rest = &[];
                    }
                    return variable;
                }
                _ => return None,
            }
        }
    }
}

const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

const fn is_key(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-'
}

#[cfg(test)]
mod tests {
    use proptest::prelude::proptest;

    use super::Variables;

    #[test]
    fn values_are_unquoted_and_trimmed() {
        let text = b"[submodule \"a.\\\"b\"]\n\tURL = \"x \" y # comment\n path\n[Submodule.Old]\r\n url = a\\\n b ; c\r\n";
        let read: Vec<_> = Variables::new(text)
            .map(|variable| {
                let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
                (
                    variable.subsection.map(text),
                    text(variable.key),
                    variable.value.map(text),
                )
            })
            .collect();
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            read,
            [
                (some("a.\"b"), "url".to_owned(), some("x  y")),
                (some("a.\"b"), "path".to_owned(), None),
                (some("old"), "url".to_owned(), some("a b")),
            ]
        );
    }

    #[test]
    fn a_syntax_error_ends_the_file() {
        for text in [
            "[a\nb = c\n",
            "[a]\nb = \"c\nd = e\n",
            "[a]\n1 = 2\nb = c\n",
            "[a]\nb ! c\nb = c\n",
        ] {
            assert_eq!(Variables::new(text.as_bytes()).count(), 0, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(text: Vec<u8>) {
            let _ = Variables::new(&text).count();
        }
    }
}
