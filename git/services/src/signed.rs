use git_pack::Kind;

/// The signature of a commit or tag, and what was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// The armoured signature, of OpenPGP, SSH or X.509.
    pub signature: Vec<u8>,
    /// The object without its signature.
    pub payload: Vec<u8>,
}

/// What can begin a signature at the end of a tag.
const BEGINNINGS: [&[u8]; 4] = [
    b"-----BEGIN PGP SIGNATURE-----",
    b"-----BEGIN PGP MESSAGE-----",
    b"-----BEGIN SIGNED MESSAGE-----",
    b"-----BEGIN SSH SIGNATURE-----",
];

/// Takes the signature out of a commit's or tag's content; `None` if there is none
/// (gitformat-signature(5)).
pub fn signed(kind: Kind, data: &[u8]) -> Option<Signed> {
    match kind {
        Kind::Commit => signed_commit(data),
        Kind::Tag => signed_tag(data),
        Kind::Tree | Kind::Blob => None,
    }
}

/// The header `gpgsig`, whose further lines begin with a space; in repositories of SHA-256 its name ends
/// in `-sha256`.
fn signed_commit(data: &[u8]) -> Option<Signed> {
    let headers = data.windows(2).position(|pair| pair == b"\n\n")? + 1;
    let (mut signature, mut payload) = (Vec::new(), Vec::with_capacity(data.len()));
    let mut inside = false;
    for line in data[..headers].split_inclusive(|byte| *byte == b'\n') {
        let begun = [b"gpgsig ".as_slice(), b"gpgsig-sha256 "]
            .iter()
            .find_map(|key| line.strip_prefix(*key));
        match (begun, line.strip_prefix(b" ")) {
            (Some(rest), _) => {
                signature.extend_from_slice(rest);
                inside = true;
            }
            (None, Some(rest)) if inside => signature.extend_from_slice(rest),
            _ => {
                payload.extend_from_slice(line);
                inside = false;
            }
        }
    }
    payload.extend_from_slice(&data[headers..]);
    (!signature.is_empty()).then_some(Signed { signature, payload })
}

/// The last block at the end of the message that looks like a signature.
fn signed_tag(data: &[u8]) -> Option<Signed> {
    let mut at = 0;
    let mut start = None;
    for line in data.split_inclusive(|byte| *byte == b'\n') {
        if BEGINNINGS.iter().any(|begin| line.starts_with(begin)) {
            start = Some(at);
        }
        at += line.len();
    }
    let (payload, signature) = data.split_at(start?);
    Some(Signed {
        signature: signature.to_vec(),
        payload: payload.to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use git_pack::Kind;

    use super::signed;

    #[test]
    fn signatures_are_taken_out_and_the_rest_is_what_was_signed() {
        let commit =
            b"tree 1\ngpgsig -----BEGIN\n  a\n \n -----END\nencoding x\n\ngpgsig no\n more\n";
        let found = signed(Kind::Commit, commit).unwrap();
        assert_eq!(found.signature, b"-----BEGIN\n a\n\n-----END\n");
        assert_eq!(found.payload, b"tree 1\nencoding x\n\ngpgsig no\n more\n");
        assert_eq!(signed(Kind::Commit, b"tree 1\n\ngpgsig no\n"), None);
        let tag = b"object 1\n\nmessage\n-----BEGIN SSH SIGNATURE-----\nx\n";
        let found = signed(Kind::Tag, tag).unwrap();
        assert_eq!(found.payload, b"object 1\n\nmessage\n");
        assert!(found.signature.ends_with(b"-----\nx\n"));
        assert_eq!(signed(Kind::Tag, b"object 1\n\nmessage\n"), None);
    }
}
