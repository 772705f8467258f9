use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::tokens::TokenSecret;
use http::{HeaderMap, header};

use crate::auth::AuthError;

/// What a request shows to prove who it comes from.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Credentials {
    /// An access token.
    Token(TokenSecret),
    /// A text where a token should be that has not the form of one.
    NoToken,
    /// A user name and password.
    Password { name: String, password: String },
}

impl Credentials {
    /// The credentials of a request; `None` if it has none. A token may stand
    /// in `Bearer` or `token`, or in `Basic` in the place of either the user
    /// name or the password, as git's helpers and CI systems variously do.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Option<Self>, AuthError> {
        let Some(value) = headers.get(header::AUTHORIZATION) else {
            return Ok(None);
        };
        let value = value.to_str().map_err(|_| AuthError::Malformed)?;
        let (scheme, rest) = value.split_once(' ').ok_or(AuthError::Malformed)?;
        let rest = rest.trim();
        if scheme.eq_ignore_ascii_case("basic") {
            return basic(rest).map(Some);
        }
        if scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("token") {
            return Ok(Some(
                TokenSecret::parse(rest).map_or(Self::NoToken, Self::Token),
            ));
        }
        Err(AuthError::Malformed)
    }
}

fn basic(encoded: &str) -> Result<Credentials, AuthError> {
    let decoded = STANDARD.decode(encoded).map_err(|_| AuthError::Malformed)?;
    let text = String::from_utf8(decoded).map_err(|_| AuthError::Malformed)?;
    let (name, password) = text.split_once(':').ok_or(AuthError::Malformed)?;
    if let Some(token) = TokenSecret::parse(password).or_else(|| TokenSecret::parse(name)) {
        return Ok(Credentials::Token(token));
    }
    Ok(Credentials::Password {
        name: name.to_owned(),
        password: password.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use domain::tokens::TokenSecret;
    use http::{HeaderMap, HeaderValue, header};

    use super::Credentials;
    use crate::auth::AuthError;

    fn of(value: &str) -> Result<Option<Credentials>, AuthError> {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        Credentials::of(&headers)
    }

    #[test]
    fn credentials_come_in_several_forms() {
        let secret = format!("dft_{}", "0".repeat(40));
        let token = Some(Credentials::Token(TokenSecret::parse(&secret).unwrap()));
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        for value in [
            format!("token {secret}"),
            format!("Bearer {secret}"),
            format!("BEARER  {secret}"),
            basic(&format!("alice:{secret}")),
            basic(&format!("{secret}:")),
            basic(&format!("{secret}:x-oauth-basic")),
        ] {
            assert!(of(&value) == Ok(token.clone()), "{value}");
        }
        let password = Credentials::Password {
            name: "alice".into(),
            password: "a:b".into(),
        };
        assert!(of(&basic("alice:a:b")) == Ok(Some(password)));
        assert!(of("Bearer nonsense") == Ok(Some(Credentials::NoToken)));
        assert!(Credentials::of(&HeaderMap::new()) == Ok(None));
        for value in [
            "Basic",
            "Basic !!",
            "Digest x",
            &basic("no colon"),
            "Basic /w==",
        ] {
            assert!(of(value) == Err(AuthError::Malformed), "{value}");
        }
    }
}
