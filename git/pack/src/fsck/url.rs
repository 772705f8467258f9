//! Which submodule URLs git refuses because old clients mishandle them.

/// Whether git lets a submodule have this URL.
pub(super) fn is_allowed_url(url: &[u8]) -> bool {
    if url.starts_with(b"-") {
        return false;
    }
    if url.starts_with(b"./") || url.starts_with(b"../") || url.starts_with(b"git://") {
        let (ups, rest) = leading_dots(url);
        let escapes_host = ups > 0 && matches!(rest.first(), Some(b':' | b'/'));
        return !has_newline(url) && !escapes_host;
    }
    match fetched_by_http(url) {
        Some(url) => is_normalizable(url) && !has_newline(url),
        None => true,
    }
}

/// How many `../` lead the URL, and what follows them and `./`.
fn leading_dots(mut url: &[u8]) -> (usize, &[u8]) {
    let mut ups = 0;
    loop {
        if let Some(rest) = url.strip_prefix(b"../") {
            ups += 1;
            url = rest;
        } else if let Some(rest) = url.strip_prefix(b"./") {
            url = rest;
        } else {
            return (ups, url);
        }
    }
}

/// The URL that git would hand to its HTTP and FTP helper.
fn fetched_by_http(url: &[u8]) -> Option<&[u8]> {
    let schemes = [&b"http"[..], b"https", b"ftp", b"ftps"];
    schemes.iter().find_map(|scheme| {
        let rest = url.strip_prefix(*scheme)?;
        rest.strip_prefix(b"::")
            .or_else(|| rest.starts_with(b"://").then_some(url))
    })
}

/// Whether a newline appears once `%0a` is decoded.
fn has_newline(url: &[u8]) -> bool {
    url.contains(&b'\n')
        || url
            .windows(3)
            .any(|escape| escape.eq_ignore_ascii_case(b"%0a"))
}

/// Whether git's URL normalisation accepts the URL: a scheme, a host, a sensible
/// port, valid escapes, and no `..` above the root.
fn is_normalizable(url: &[u8]) -> bool {
    let is_scheme = |byte: &u8| byte.is_ascii_alphanumeric() || b"+.-".contains(byte);
    let scheme_end = url
        .iter()
        .position(|byte| !is_scheme(byte))
        .unwrap_or(url.len());
    let Some(rest) = url[scheme_end..].strip_prefix(b"://") else {
        return false;
    };
    if !url[0].is_ascii_alphabetic() {
        return false;
    }
    let authority_end = rest
        .iter()
        .position(|byte| b"/?#".contains(byte))
        .unwrap_or(rest.len());
    let (authority, path) = rest.split_at(authority_end);
    let host = match authority.iter().position(|byte| *byte == b'@') {
        Some(at) if !has_valid_escapes(&authority[..at]) => return false,
        Some(at) => &authority[at + 1..],
        None => authority,
    };
    let is_file = url[..scheme_end].eq_ignore_ascii_case(b"file");
    is_host_with_port(host, is_file) && is_path(path)
}

fn is_host_with_port(host: &[u8], is_file: bool) -> bool {
    if matches!(host.first(), None | Some(b':')) {
        return is_file && host.len() <= 1;
    }
    let port_start = host
        .iter()
        .rposition(|byte| matches!(byte, b':' | b']'))
        .filter(|at| host[*at] == b':');
    let (name, port) = match port_start {
        Some(at) => (&host[..at], &host[at + 1..]),
        None => (host, &[][..]),
    };
    let port = &port[port
        .iter()
        .take_while(|byte| **byte == b'0')
        .count()
        .min(port.len().saturating_sub(1))..];
    let is_port = match std::str::from_utf8(port) {
        Ok("") => true,
        Ok(digits) => {
            digits.bytes().all(|byte| byte.is_ascii_digit())
                && digits.parse::<u16>().is_ok_and(|n| n > 0)
        }
        Err(_) => false,
    };
    name.iter()
        .all(|byte| byte.is_ascii_alphanumeric() || b".-_[:]".contains(byte))
        && is_port
}

fn is_path(path: &[u8]) -> bool {
    if !has_valid_escapes(path) {
        return false;
    }
    let end = path
        .iter()
        .position(|byte| b"?#".contains(byte))
        .unwrap_or(path.len());
    let path = path[..end].strip_prefix(b"/").unwrap_or(&path[..end]);
    let mut depth = 0usize;
    for segment in path.split(|byte| *byte == b'/') {
        match unescape_dots(segment).as_slice() {
            b"." => {}
            b".." if depth == 0 => return false,
            b".." => depth -= 1,
            _ => depth += 1,
        }
    }
    true
}

fn unescape_dots(segment: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = segment;
    while let [byte, tail @ ..] = rest {
        if rest
            .get(..3)
            .is_some_and(|escape| escape.eq_ignore_ascii_case(b"%2e"))
        {
            out.push(b'.');
            rest = &rest[3..];
        } else {
            out.push(*byte);
            rest = tail;
        }
    }
    out
}

/// Whether every percent sign begins an escape of two hexadecimal digits.
fn has_valid_escapes(text: &[u8]) -> bool {
    let signs = (0..text.len()).filter(|at| text[*at] == b'%');
    signs.into_iter().all(|at| {
        text.get(at + 1..at + 3)
            .is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit))
    })
}

#[cfg(test)]
mod tests {
    use super::is_allowed_url;

    #[test]
    fn urls_are_judged_as_git_does() {
        for (url, allowed) in [
            ("https://example.com/a.git", true),
            ("http://user:p%40ss@example.com:8080/a?b#c", true),
            ("ssh://host/%0a", true),
            ("git@host:a/b", true),
            ("../a", true),
            ("./a/%41", true),
            ("-a", false),
            ("git://host/%0aevil", false),
            ("../%0a", false),
            ("../:x", false),
            ("./../../:x", false),
            ("..//x", false),
            ("https://host/%0a", false),
            ("https::https://host/a%0A", false),
            ("http::git@host", false),
            ("https://", false),
            ("https:///a", false),
            ("https://host:0/a", false),
            ("https://host:99999/a", false),
            ("https://ho st/a", false),
            ("https://host/%zz", false),
            ("https://host/../a", false),
            ("https://host/a/../b", true),
        ] {
            assert_eq!(is_allowed_url(url.as_bytes()), allowed, "{url:?}");
        }
    }
}
