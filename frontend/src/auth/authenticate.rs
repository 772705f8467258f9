use domain::Viewer;
use domain::accounts::SignInError;
use domain::tokens::AuthenticateError;
use http::HeaderMap;

use crate::auth::AuthError;
use crate::auth::credentials::Credentials;
use crate::request::Peer;
use crate::site::Site;

/// Who a request with these headers comes from. One without credentials comes
/// from nobody in particular; one with wrong ones is refused, even where none
/// are needed, so that nobody wonders why a right is missing.
pub(crate) async fn authenticate(
    site: &Site,
    headers: &HeaderMap,
    peer: Peer,
) -> Result<Viewer, AuthError> {
    let Some(credentials) = Credentials::of(headers)? else {
        return Ok(Viewer::Anonymous);
    };
    verify(site, credentials, peer).await
}

/// Signs in with a name and password, for the page that asks for them.
pub(crate) async fn sign_in(
    site: &Site,
    name: &str,
    password: &str,
    peer: Peer,
) -> Result<Viewer, AuthError> {
    let (name, password) = (name.to_owned(), password.to_owned());
    verify(site, Credentials::Password { name, password }, peer).await
}

async fn verify(site: &Site, credentials: Credentials, peer: Peer) -> Result<Viewer, AuthError> {
    let verified = match credentials {
        Credentials::NoToken => Err(AuthError::Token(AuthenticateError::Unknown)),
        Credentials::Token(secret) => match site.forge.tokens.authenticate(&secret).await {
            Ok(found) => Ok(Viewer::with_token(found)),
            Err(AuthenticateError::Facts(error)) => Err(error.into()),
            Err(error) => Err(AuthError::Token(error)),
        },
        Credentials::Password { name, password } => {
            check_password(site, &name, &password, peer).await
        }
    };
    if let Err(AuthError::Wrong | AuthError::Token(_)) = verified {
        site.metrics.failed_sign_ins.inc();
    }
    verified
}

/// Only passwords can be guessed: tokens are not throttled, so that a forgotten
/// job with an old one does not lock out everybody behind its address.
async fn check_password(
    site: &Site,
    name: &str,
    password: &str,
    peer: Peer,
) -> Result<Viewer, AuthError> {
    let now = site.runtime.clock.monotonic();
    if !site.throttle.allows(peer, name, now) {
        return Err(AuthError::Throttled);
    }
    match site.forge.accounts.sign_in(name, password).await {
        Ok(user) => Ok(Viewer::with_password(user)),
        Err(SignInError::Wrong) => {
            site.throttle.failed(peer, name, now);
            Err(AuthError::Wrong)
        }
        Err(SignInError::Password(error)) => Err(AuthError::Password(error)),
        Err(SignInError::Facts(error)) => Err(error.into()),
    }
}
