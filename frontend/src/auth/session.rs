use std::fmt::Write as _;

use domain::tokens::{AuthenticateError, TokenSecret};
use domain::{FactsError, Viewer};
use http::{HeaderMap, HeaderValue, header};
use sha2::{Digest, Sha256};

use crate::site::Site;

/// The cookie that holds the secret of a session.
const SESSION: &str = "devflow_session";
/// The cookie that ties a form to the browser that it was given to, before
/// there is a session.
const FORM: &str = "devflow_form";

/// Who looks at a page.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    /// Who it is.
    pub(crate) viewer: Viewer,
    /// The secret of the session, if there is one.
    pub(crate) secret: Option<TokenSecret>,
}

impl Session {
    /// The session of a request. A cookie that is no longer good is as none.
    pub(crate) async fn of(site: &Site, headers: &HeaderMap) -> Result<Self, FactsError> {
        let none = Self {
            viewer: Viewer::Anonymous,
            secret: None,
        };
        let Some(secret) = cookie(headers, SESSION).and_then(TokenSecret::parse) else {
            return Ok(none);
        };
        match site.forge.tokens.resume_session(&secret).await {
            Ok(found) => Ok(Self {
                viewer: Viewer::with_session(found),
                secret: Some(secret),
            }),
            Err(AuthenticateError::Facts(error)) => Err(error),
            Err(AuthenticateError::Unknown | AuthenticateError::Expired { .. }) => Ok(none),
        }
    }

    /// What the forms of this session carry, so that other sites cannot send
    /// them in its name.
    pub(crate) fn form_token(&self) -> Option<String> {
        self.secret
            .as_ref()
            .map(|secret| digest("form of a session", secret.reveal()))
    }
}

/// The cookie's value for a form outside a session, of a request that has a
/// well-formed one.
pub(crate) fn form_cookie(headers: &HeaderMap) -> Option<&str> {
    let is_well_formed =
        |value: &&str| value.len() == 32 && value.bytes().all(|byte| byte.is_ascii_hexdigit());
    cookie(headers, FORM).filter(is_well_formed)
}

/// What a form outside a session carries for this value of its cookie.
pub(crate) fn form_token(cookie: &str) -> String {
    digest("form before a session", cookie)
}

/// The header that opens a session in the browser.
pub(crate) fn session_cookie(secret: &TokenSecret, is_secure: bool) -> HeaderValue {
    let life = domain::limits::SESSION_LIFE.as_secs();
    set_cookie(SESSION, secret.reveal(), life, is_secure)
}

/// The header that ties a form to the browser for an hour.
pub(crate) fn set_form_cookie(value: &str, is_secure: bool) -> HeaderValue {
    set_cookie(FORM, value, 3600, is_secure)
}

/// The header that ends a session in the browser.
pub(crate) fn clear_cookie(is_secure: bool) -> HeaderValue {
    set_cookie(SESSION, "", 0, is_secure)
}

fn set_cookie(name: &str, value: &str, max_age: u64, is_secure: bool) -> HeaderValue {
    let secure = if is_secure { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={max_age}{secure}");
    let mut header = HeaderValue::from_str(&text).expect("secrets are letters and digits");
    header.set_sensitive(true);
    header
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let values = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let mut pairs = values
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.split_once('='));
    pairs
        .find(|(key, _)| key.trim() == name)
        .map(|(_, value)| value.trim())
}

fn digest(purpose: &str, secret: &str) -> String {
    let hash = Sha256::new()
        .chain_update(purpose)
        .chain_update([0])
        .chain_update(secret)
        .finalize();
    hash.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
        text
    })
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, header};

    use super::{cookie, form_token, set_form_cookie};

    #[test]
    fn cookies_are_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("a=1; b=2"));
        headers.append(header::COOKIE, HeaderValue::from_static("c=3=4"));
        assert_eq!(cookie(&headers, "b"), Some("2"));
        assert_eq!(cookie(&headers, "c"), Some("3=4"));
        assert_eq!(cookie(&headers, "d"), None);
    }

    #[test]
    fn cookies_are_out_of_reach_of_scripts_and_other_sites() {
        let header = set_form_cookie("x", true);
        let text = header.to_str().unwrap();
        assert!(
            text.contains("HttpOnly; SameSite=Lax") && text.ends_with("; Secure"),
            "{text}"
        );
        assert_ne!(form_token("a"), form_token("b"));
    }
}
