use storage_node_api::Timestamp;

use crate::keys::DeployKey;
use crate::tokens::{Authenticated, Scopes};
use crate::{AccountId, KeyId, TokenId, User};

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Viewer {
    /// Nobody in particular.
    Anonymous,
    /// Someone with an account.
    SignedIn(Box<SignedIn>),
    /// Whoever holds a key that stands for one repository.
    DeployKey(DeployKey),
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
    /// By a key of the account.
    Key(KeyId),
    /// By a certificate of an authority of this forge.
    Certificate {
        /// When it ends, if ever.
        until: Option<Timestamp>,
    },
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

    /// Someone who holds a key of the account.
    pub fn with_key(user: User, key: KeyId) -> Self {
        let signed_in = SignedIn {
            user,
            scopes: Scopes::all(),
            means: Means::Key(key),
        };
        Self::SignedIn(Box::new(signed_in))
    }

    /// Someone who holds a certificate for the account.
    pub fn with_certificate(user: User, until: Option<Timestamp>) -> Self {
        let signed_in = SignedIn {
            user,
            scopes: Scopes::all(),
            means: Means::Certificate { until },
        };
        Self::SignedIn(Box::new(signed_in))
    }

    /// Who it is, unless nobody in particular.
    pub fn signed_in(&self) -> Option<&SignedIn> {
        match self {
            Self::Anonymous | Self::DeployKey(_) => None,
            Self::SignedIn(signed_in) => Some(signed_in),
        }
    }

    /// The account that stands for what is done: one's own, or that which added
    /// the deploy key.
    pub fn account(&self) -> Option<AccountId> {
        match self {
            Self::Anonymous => None,
            Self::SignedIn(signed_in) => Some(signed_in.user.id),
            Self::DeployKey(key) => Some(key.by),
        }
    }

    /// By what they proved who they are, for logs.
    pub fn means(&self) -> Option<Means> {
        match self {
            Self::Anonymous => None,
            Self::SignedIn(signed_in) => Some(signed_in.means),
            Self::DeployKey(key) => Some(Means::Key(key.id)),
        }
    }

    /// The account, unless nobody in particular.
    pub fn user(&self) -> Option<&User> {
        self.signed_in().map(|signed_in| &signed_in.user)
    }
}
