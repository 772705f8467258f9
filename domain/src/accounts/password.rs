use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use runtime::{Runtime, run_blocking};
use sha2::{Digest, Sha256};
use tokio::sync::{OnceCell, Semaphore};

use crate::Failure;
use crate::limits::{
    PASSWORD_MAX, PASSWORD_MIN, PASSWORD_PROOF_LIFE, PASSWORD_PROOFS, PASSWORDS_HASHED,
    PASSWORDS_WAITING,
};

/// How dear it is to try a password.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PasswordCost {
    /// Argon2id with 19 MiB and two passes, as OWASP's password storage cheat
    /// sheet advises.
    #[default]
    Production,
    /// As little as Argon2 allows.
    Testing,
}

/// Why a password was not taken or not checked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Under [`PASSWORD_MIN`].
    #[error("a password has at least {PASSWORD_MIN} characters")]
    TooShort,
    /// Over [`PASSWORD_MAX`].
    #[error("a password has at most {PASSWORD_MAX} bytes")]
    TooLong,
    /// Too many are being checked.
    #[error("too many people are signing in; try again in a few seconds")]
    Overloaded,
    /// The hash function failed, or the process is shutting down.
    #[error("hash a password")]
    Failed,
}

impl PasswordError {
    /// What kind of failure this is.
    pub fn failure(&self) -> Failure {
        match self {
            Self::TooShort | Self::TooLong => Failure::Invalid,
            Self::Overloaded => Failure::Overloaded,
            Self::Failed => Failure::Internal,
        }
    }
}

/// Hashes and checks passwords, a bounded number at a time.
#[derive(Clone)]
pub(crate) struct Passwords {
    inner: Arc<Inner>,
}

struct Inner {
    cost: PasswordCost,
    runtime: Runtime,
    /// A place for each that is hashed or waits.
    places: Semaphore,
    hashing: Semaphore,
    /// What the password of an unknown account is checked against.
    decoy: OnceCell<String>,
    /// Keys the proofs, so that they mean nothing outside this process.
    key: [u8; 32],
    /// Right passwords seen lately, and until when they count.
    proofs: Mutex<HashMap<[u8; 32], Duration>>,
}

impl Passwords {
    pub(crate) fn new(runtime: Runtime, cost: PasswordCost) -> Self {
        let mut key = [0; 32];
        runtime.random.fill(&mut key);
        let inner = Inner {
            cost,
            runtime,
            places: Semaphore::new(PASSWORDS_HASHED + PASSWORDS_WAITING),
            hashing: Semaphore::new(PASSWORDS_HASHED),
            decoy: OnceCell::new(),
            key,
            proofs: Mutex::new(HashMap::new()),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// The PHC string to keep for a new password.
    pub(crate) async fn hash(&self, password: &str) -> Result<String, PasswordError> {
        if password.chars().count() < PASSWORD_MIN {
            return Err(PasswordError::TooShort);
        }
        if password.len() > PASSWORD_MAX {
            return Err(PasswordError::TooLong);
        }
        self.hash_unchecked(password.to_owned()).await
    }

    /// Whether this is the password of that PHC string; without one, false
    /// after the same work.
    pub(crate) async fn verify(
        &self,
        stored: Option<&str>,
        password: &str,
    ) -> Result<bool, PasswordError> {
        if password.len() > PASSWORD_MAX {
            return Ok(false);
        }
        let Some(stored) = stored else {
            let decoy = self.decoy().await?;
            self.compare(decoy.to_owned(), password.to_owned()).await?;
            return Ok(false);
        };
        let proof = self.proof(stored, password);
        if self.is_proven(&proof) {
            return Ok(true);
        }
        let right = self.compare(stored.to_owned(), password.to_owned()).await?;
        if right {
            self.remember(proof);
        }
        Ok(right)
    }

    async fn decoy(&self) -> Result<&str, PasswordError> {
        let make = || async { self.hash_unchecked("nobody's password".to_owned()).await };
        self.inner
            .decoy
            .get_or_try_init(make)
            .await
            .map(String::as_str)
    }

    async fn hash_unchecked(&self, password: String) -> Result<String, PasswordError> {
        let mut salt = [0; 16];
        self.inner.runtime.random.fill(&mut salt);
        let cost = self.inner.cost;
        self.run(move || {
            let salt = SaltString::encode_b64(&salt).map_err(|_| PasswordError::Failed)?;
            let hash = cost.argon2().hash_password(password.as_bytes(), &salt);
            hash.map(|hash| hash.to_string())
                .map_err(|_| PasswordError::Failed)
        })
        .await?
    }

    async fn compare(&self, stored: String, password: String) -> Result<bool, PasswordError> {
        let cost = self.inner.cost;
        self.run(move || {
            let stored = PasswordHash::new(&stored).map_err(|_| PasswordError::Failed)?;
            Ok(cost
                .argon2()
                .verify_password(password.as_bytes(), &stored)
                .is_ok())
        })
        .await?
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PasswordError> {
        let _place = self
            .inner
            .places
            .try_acquire()
            .map_err(|_| PasswordError::Overloaded)?;
        let _turn = self
            .inner
            .hashing
            .acquire()
            .await
            .map_err(|_| PasswordError::Failed)?;
        run_blocking(&*self.inner.runtime.tasks, "hash a password", work)
            .await
            .map_err(|_| PasswordError::Failed)
    }

    fn proof(&self, stored: &str, password: &str) -> [u8; 32] {
        let mut hasher = Sha256::new();
        hasher.update(self.inner.key);
        hasher.update((stored.len() as u64).to_le_bytes());
        hasher.update(stored);
        hasher.update(password);
        hasher.finalize().into()
    }

    fn is_proven(&self, proof: &[u8; 32]) -> bool {
        let now = self.inner.runtime.clock.monotonic();
        let proofs = self
            .inner
            .proofs
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        proofs.get(proof).is_some_and(|until| now < *until)
    }

    fn remember(&self, proof: [u8; 32]) {
        let now = self.inner.runtime.clock.monotonic();
        let mut proofs = self
            .inner
            .proofs
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if proofs.len() >= PASSWORD_PROOFS {
            proofs.retain(|_, until| now < *until);
        }
        if proofs.len() < PASSWORD_PROOFS {
            proofs.insert(proof, now + PASSWORD_PROOF_LIFE);
        }
    }
}

impl PasswordCost {
    fn argon2(self) -> Argon2<'static> {
        let params = match self {
            Self::Production => Params::new(19 * 1024, 2, 1, None),
            Self::Testing => Params::new(Params::MIN_M_COST, 1, 1, None),
        };
        let params = params.expect("both sets of parameters are within Argon2's bounds");
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
    }
}

impl fmt::Debug for Passwords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passwords")
            .field("cost", &self.inner.cost)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use runtime::Runtime;

    use super::{PasswordCost, PasswordError, Passwords};
    use crate::limits::PASSWORD_PROOF_LIFE;

    #[tokio::test]
    async fn only_the_right_password_verifies() {
        let (runtime, clock) = Runtime::simulated(1);
        let passwords = Passwords::new(runtime, PasswordCost::Testing);
        let stored = passwords.hash("correct horse").await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$"));
        assert!(!stored.contains("horse"));
        assert_eq!(
            passwords.verify(Some(&stored), "correct horse").await,
            Ok(true)
        );
        assert_eq!(
            passwords.verify(Some(&stored), "correct horse").await,
            Ok(true)
        );
        assert_eq!(
            passwords.verify(Some(&stored), "wrong horse").await,
            Ok(false)
        );
        assert_eq!(passwords.verify(None, "correct horse").await, Ok(false));
        let proof = passwords.proof(&stored, "correct horse");
        assert!(passwords.is_proven(&proof));
        clock.advance(PASSWORD_PROOF_LIFE);
        assert!(!passwords.is_proven(&proof));
        assert_eq!(
            passwords.verify(Some(&stored), &"x".repeat(1 << 20)).await,
            Ok(false)
        );
    }

    #[tokio::test]
    async fn equal_passwords_have_different_hashes() {
        let passwords = Passwords::new(Runtime::simulated(2).0, PasswordCost::Testing);
        let first = passwords.hash("correct horse").await.unwrap();
        assert_ne!(first, passwords.hash("correct horse").await.unwrap());
    }

    #[tokio::test]
    async fn passwords_have_bounds() {
        let passwords = Passwords::new(Runtime::simulated(3).0, PasswordCost::Testing);
        assert_eq!(passwords.hash("short").await, Err(PasswordError::TooShort));
        assert_eq!(
            passwords.hash(&"x".repeat(257)).await,
            Err(PasswordError::TooLong)
        );
    }
}
