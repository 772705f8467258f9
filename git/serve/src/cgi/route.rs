use git_wire::Service;

/// What a path below a repository asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    InfoRefs,
    Head,
    Service(Service),
    /// The files of `objects/info` that git keeps as text.
    TextFile(&'static str),
    InfoPacks,
    /// `objects/xx/…`, relative to the repository.
    LooseObject(String),
    /// `objects/pack/pack-….pack`, relative to the repository.
    Pack(String),
    /// `objects/pack/pack-….idx`, relative to the repository.
    PackIndex(String),
}

impl Route {
    pub(super) const fn method(&self) -> &'static str {
        match self {
            Self::Service(_) => "POST",
            _ => "GET",
        }
    }
}

/// Splits a path into a repository and what is asked of it.
pub(super) fn route(path: &str) -> Option<(&str, Route)> {
    let fixed = [
        ("/info/refs", Route::InfoRefs),
        ("/git-upload-pack", Route::Service(Service::UploadPack)),
        ("/git-receive-pack", Route::Service(Service::ReceivePack)),
        ("/objects/info/packs", Route::InfoPacks),
        (
            "/objects/info/alternates",
            Route::TextFile("objects/info/alternates"),
        ),
        (
            "/objects/info/http-alternates",
            Route::TextFile("objects/info/http-alternates"),
        ),
        ("/HEAD", Route::Head),
    ];
    for (suffix, route) in fixed {
        if let Some(directory) = path.strip_suffix(suffix) {
            return Some((directory, route));
        }
    }
    let at = path.rfind("/objects/")?;
    let file = &path[at + 1..];
    let (first, second) = file.strip_prefix("objects/")?.split_once('/')?;
    let route = if first == "pack" {
        let (hash, extension) = second.strip_prefix("pack-")?.split_once('.')?;
        match extension {
            _ if !is_hash(hash) => return None,
            "pack" => Route::Pack(file.to_owned()),
            "idx" => Route::PackIndex(file.to_owned()),
            _ => return None,
        }
    } else if first.len() == 2 && is_hash(&format!("{first}{second}")) {
        Route::LooseObject(file.to_owned())
    } else {
        return None;
    };
    Some((&path[..at], route))
}

fn is_hash(text: &str) -> bool {
    let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    matches!(text.len(), 40 | 64) && text.bytes().all(digit)
}

#[cfg(test)]
mod tests {
    use git_wire::Service;

    use super::{Route, route};

    #[test]
    fn each_path_has_its_route() {
        let hash = "a".repeat(40);
        let loose = format!("objects/aa/{}", "a".repeat(38));
        let pack = format!("objects/pack/pack-{hash}.pack");
        let index = format!("objects/pack/pack-{hash}.idx");
        let cases = [
            ("info/refs", Some(Route::InfoRefs)),
            ("git-upload-pack", Some(Route::Service(Service::UploadPack))),
            (
                "git-receive-pack",
                Some(Route::Service(Service::ReceivePack)),
            ),
            ("HEAD", Some(Route::Head)),
            ("objects/info/packs", Some(Route::InfoPacks)),
            (&loose, Some(Route::LooseObject(loose.clone()))),
            (&pack, Some(Route::Pack(pack.clone()))),
            (&index, Some(Route::PackIndex(index.clone()))),
            ("objects/pack/pack-x.pack", None),
            ("objects/pack/../../config", None),
            ("objects/aa/bb", None),
            ("config", None),
            ("git-upload-archive", None),
        ];
        for (path, expected) in cases {
            let full = format!("/srv/a/b.git/{path}");
            let expected = expected.map(|route| ("/srv/a/b.git", route));
            assert_eq!(route(&full), expected, "{path}");
        }
    }
}
