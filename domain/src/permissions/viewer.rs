use crate::tokens::{Authenticated, Scopes};
use crate::{TokenId, User};

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Viewer {
    /// Nobody in particular.
    Anonymous,
    /// Someone with an account.
    SignedIn(Box<SignedIn>),
}

/// Someone with an account, and how far their proof of it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedIn {
    /// The account.
    pub user: User,
    /// What the proof may be used for.
    pub scopes: Scopes,
    /// What the proof was.
    pub means: Means,
}

/// How someone proved to have an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Means {
    /// By the password.
    Password,
    /// By an access token.
    Token(TokenId),
    /// By a session of the web pages.
    Session(TokenId),
}

impl Viewer {
    /// Someone who gave the password.
    pub fn with_password(user: User) -> Self {
        let signed_in = SignedIn {
            user,
            scopes: Scopes::all(),
            means: Means::Password,
        };
        Self::SignedIn(Box::new(signed_in))
    }

    /// Someone who gave an access token.
    pub fn with_token(found: Authenticated) -> Self {
        Self::SignedIn(Box::new(SignedIn {
            user: found.user,
            scopes: found.token.scopes,
            means: Means::Token(found.token.id),
        }))
    }

    /// Someone who has a session.
    pub fn with_session(found: Authenticated) -> Self {
        Self::SignedIn(Box::new(SignedIn {
            user: found.user,
            scopes: found.token.scopes,
            means: Means::Session(found.token.id),
        }))
    }

    /// Who it is, unless nobody in particular.
    pub fn signed_in(&self) -> Option<&SignedIn> {
        match self {
            Self::Anonymous => None,
            Self::SignedIn(signed_in) => Some(signed_in),
        }
    }

    /// The account, unless nobody in particular.
    pub fn user(&self) -> Option<&User> {
        self.signed_in().map(|signed_in| &signed_in.user)
    }
}
