use std::sync::Arc;

use http::request::Parts;
use http::uri::Authority;
use http::{HeaderMap, Uri, header};

/// `scheme://authority` as the client sees this server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BaseUrl(Arc<str>);

impl BaseUrl {
    /// The configured address, or else what the request was sent to.
    pub(crate) fn of(configured: Option<&str>, uri: &Uri, headers: &HeaderMap) -> Self {
        if let Some(url) = configured {
            return Self(url.into());
        }
        let host = headers
            .get(header::HOST)
            .and_then(|host| host.to_str().ok());
        let authority = uri.authority().map(Authority::as_str).or(host);
        let valid = authority
            .and_then(|text| text.parse::<Authority>().ok())
            .filter(|authority| !authority.as_str().contains('@'));
        let authority = valid.as_ref().map_or("localhost", Authority::as_str);
        Self(format!("http://{authority}").into())
    }

    /// The address of the request with these parts, which `observe` noted.
    pub(crate) fn from_parts(parts: &Parts) -> Self {
        let noted = parts.extensions.get::<Self>().cloned();
        noted.unwrap_or_else(|| Self::of(None, &parts.uri, &parts.headers))
    }

    /// Without a slash at its end.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether browsers reach it over TLS.
    pub(crate) fn is_secure(&self) -> bool {
        self.0.starts_with("https:")
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, Uri, header};

    use super::BaseUrl;

    #[test]
    fn the_configured_address_goes_before_the_requests() {
        let uri = Uri::from_static("/a/b");
        let host = |host: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static(host));
            headers
        };
        let of =
            |configured, headers: &HeaderMap| BaseUrl::of(configured, &uri, headers).0.to_string();
        assert_eq!(of(None, &host("example.org:81")), "http://example.org:81");
        assert_eq!(of(None, &HeaderMap::new()), "http://localhost");
        assert_eq!(of(None, &host("a\"><script>")), "http://localhost");
        assert_eq!(of(None, &host("user@evil")), "http://localhost");
        assert_eq!(of(Some("https://x"), &host("example.org")), "https://x");
    }
}
