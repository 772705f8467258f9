//! The patterns of gitattributes(5), which are those of gitignore(5).

/// A pattern, taken apart once.
#[derive(Debug)]
pub(super) struct Glob {
    form: Form,
}

#[derive(Debug)]
enum Form {
    /// No slash: it looks at the last part of a path.
    Name(Part),
    /// It looks at the whole path below the directory of its file.
    Path(Vec<Segment>),
}

#[derive(Debug)]
enum Segment {
    /// `**`: any number of directories.
    AnyDirectories,
    Part(Part),
}

/// What stands between slashes.
#[derive(Debug)]
enum Part {
    Literal(Vec<u8>),
    /// A star and then only ordinary bytes.
    Suffix(Vec<u8>),
    Wild(Vec<Token>),
}

#[derive(Debug)]
enum Token {
    Byte(u8),
    AnyByte,
    AnyBytes,
    Class(Box<[bool; 256]>),
    /// A class that does not end matches nothing.
    Nothing,
}

impl Glob {
    /// A pattern without the slash at its end that asks for a directory.
    pub(super) fn new(pattern: &[u8]) -> Self {
        let form = match pattern.contains(&b'/') {
            false => Form::Name(Part::new(pattern)),
            true => {
                let pattern = pattern.strip_prefix(b"/").unwrap_or(pattern);
                let segments = pattern.split(|byte| *byte == b'/').map(|part| match part {
                    b"**" => Segment::AnyDirectories,
                    part => Segment::Part(Part::new(part)),
                });
                let mut segments: Vec<Segment> = segments.collect();
                // Several in a row say no more than one, and would cost more.
                let is_any = |segment: &Segment| matches!(segment, Segment::AnyDirectories);
                segments.dedup_by(|next, before| is_any(next) && is_any(before));
                Form::Path(segments)
            }
        };
        Self { form }
    }

    /// Whether a path matches that is relative to the directory of the pattern's file.
    pub(super) fn matches(&self, path: &[u8]) -> bool {
        match &self.form {
            Form::Name(part) => {
                let name = path.rsplit(|byte| *byte == b'/').next();
                part.matches(name.unwrap_or_default())
            }
            Form::Path(segments) => {
                let parts: Vec<&[u8]> = path.split(|byte| *byte == b'/').collect();
                match_segments(segments, &parts)
            }
        }
    }
}

/// Goes back to the last `**` only: what an earlier one could take, the last one can take too.
fn match_segments(segments: &[Segment], parts: &[&[u8]]) -> bool {
    if let [rest @ .., Segment::AnyDirectories] = segments {
        // At the end it stands for something inside.
        return (1..parts.len()).any(|cut| match_segments(rest, &parts[..cut]))
            || (rest.is_empty() && !parts.is_empty());
    }
    let (mut at, mut part) = (0, 0);
    let mut retry = None;
    while part < parts.len() {
        match segments.get(at) {
            Some(Segment::AnyDirectories) => {
                retry = Some((at, part));
                at += 1;
                continue;
            }
            Some(Segment::Part(wanted)) if wanted.matches(parts[part]) => {
                at += 1;
                part += 1;
                continue;
            }
            _ => {}
        }
        let Some((star, start)) = retry else {
            return false;
        };
        retry = Some((star, start + 1));
        (at, part) = (star + 1, start + 1);
    }
    segments[at..]
        .iter()
        .all(|segment| matches!(segment, Segment::AnyDirectories))
}

impl Part {
    fn new(pattern: &[u8]) -> Self {
        let is_plain = |bytes: &[u8]| !bytes.iter().any(|byte| b"*?[\\".contains(byte));
        match pattern {
            _ if is_plain(pattern) => Self::Literal(pattern.to_vec()),
            [b'*', rest @ ..] if is_plain(rest) => Self::Suffix(rest.to_vec()),
            _ => Self::Wild(tokens(pattern)),
        }
    }

    fn matches(&self, text: &[u8]) -> bool {
        match self {
            Self::Literal(literal) => literal == text,
            Self::Suffix(suffix) => text.ends_with(suffix),
            Self::Wild(tokens) => match_tokens(tokens, text),
        }
    }
}

fn match_tokens(tokens: &[Token], text: &[u8]) -> bool {
    let (mut at, mut byte) = (0, 0);
    let mut retry = None;
    while byte < text.len() {
        let fits = match tokens.get(at) {
            Some(Token::AnyBytes) => {
                retry = Some((at, byte));
                at += 1;
                continue;
            }
            Some(Token::Byte(wanted)) => *wanted == text[byte],
            Some(Token::AnyByte) => true,
            Some(Token::Class(class)) => class[text[byte] as usize],
            Some(Token::Nothing) | None => false,
        };
        if fits {
            at += 1;
            byte += 1;
            continue;
        }
        let Some((star, start)) = retry else {
            return false;
        };
        retry = Some((star, start + 1));
        (at, byte) = (star + 1, start + 1);
    }
    tokens[at..]
        .iter()
        .all(|token| matches!(token, Token::AnyBytes))
}

fn tokens(pattern: &[u8]) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = pattern;
    while let [first, after @ ..] = rest {
        rest = after;
        tokens.push(match first {
            b'*' => Token::AnyBytes,
            b'?' => Token::AnyByte,
            b'\\' => match rest {
                [escaped, after @ ..] => {
                    rest = after;
                    Token::Byte(*escaped)
                }
                [] => Token::Nothing,
            },
            b'[' => match class(rest) {
                Some((class, after)) => {
                    rest = after;
                    Token::Class(class)
                }
                None => {
                    rest = &[];
                    Token::Nothing
                }
            },
            byte => Token::Byte(*byte),
        });
    }
    tokens
}

/// The bytes that a bracket expression takes, and what follows it.
fn class(pattern: &[u8]) -> Option<(Box<[bool; 256]>, &[u8])> {
    let mut class = Box::new([false; 256]);
    let (negated, mut rest) = match pattern {
        [b'!' | b'^', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let mut is_first = true;
    loop {
        let (start, after) = match rest {
            [b']', after @ ..] if !is_first => {
                rest = after;
                break;
            }
            [b'[', b':', after @ ..] => {
                let end = after.windows(2).position(|pair| pair == b":]")?;
                let is_member = named_class(&after[..end])?;
                (0..=255u8)
                    .filter(|byte| is_member(*byte))
                    .for_each(|byte| class[byte as usize] = true);
                rest = &after[end + 2..];
                is_first = false;
                continue;
            }
            [b'\\', escaped, after @ ..] => (*escaped, after),
            [byte, after @ ..] => (*byte, after),
            [] => return None,
        };
        let (end, after) = match after {
            [b'-', b'\\', end, after @ ..] => (*end, after),
            [b'-', end, after @ ..] if *end != b']' => (*end, after),
            after => (start, after),
        };
        (start..=end).for_each(|byte| class[byte as usize] = true);
        rest = after;
        is_first = false;
    }
    if negated {
        class.iter_mut().for_each(|taken| *taken = !*taken);
    }
    Some((class, rest))
}

fn named_class(name: &[u8]) -> Option<fn(u8) -> bool> {
    Some(match name {
        b"alnum" => |byte| byte.is_ascii_alphanumeric(),
        b"alpha" => |byte| byte.is_ascii_alphabetic(),
        b"blank" => |byte| byte == b' ' || byte == b'\t',
        b"cntrl" => |byte| byte.is_ascii_control(),
        b"digit" => |byte| byte.is_ascii_digit(),
        b"graph" => |byte| byte.is_ascii_graphic(),
        b"lower" => |byte| byte.is_ascii_lowercase(),
        b"print" => |byte| byte.is_ascii_graphic() || byte == b' ',
        b"punct" => |byte| byte.is_ascii_punctuation(),
        b"space" => |byte| byte.is_ascii_whitespace() || byte == 0x0b,
        b"upper" => |byte| byte.is_ascii_uppercase(),
        b"xdigit" => |byte| byte.is_ascii_hexdigit(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::Glob;

    #[test]
    fn patterns_match_as_gitignore_describes() {
        for (pattern, path, expected) in [
            ("*.c", "a/b.c", true),
            ("*.c", "a/b.h", false),
            ("b.c", "a/b.c", true),
            ("/b.c", "a/b.c", false),
            ("a/*.c", "a/b.c", true),
            ("a/*.c", "a/b/c.c", false),
            ("a/**/c", "a/c", true),
            ("a/**/c", "a/b/d/c", true),
            ("**/c", "c", true),
            ("**/c/d", "a/b/c/d", true),
            ("**/c/d", "a/b/cc/d", false),
            ("a/**", "a/b/c", true),
            ("a/**", "a", false),
            ("a/**/**/**/**/**/**/**", "a/b/c/d/e/f/g/h/i", true),
            ("x/**/**/**/**/**/**/**", "a/b/c/d/e/f/g/h/i", false),
            ("**/x/**", "a/x/y", true),
            ("**/x/**", "a/x", false),
            ("[a-c]?.[!x]", "q/bz.y", true),
            ("[a-c]?.[!x]", "q/bz.x", false),
            ("[[:digit:]]*", "7up", true),
            ("[]x]", "]", true),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("[ab", "a", false),
            ("a*b*c*d", "axbxbxcxxd", true),
            ("a*b*c*d", "axbxbxcxxe", false),
        ] {
            let matches = Glob::new(pattern.as_bytes()).matches(path.as_bytes());
            assert_eq!(matches, expected, "{pattern} {path}");
        }
    }
}
