use domain::lfs::{Lock, LockError, LockFilter, NewLock};
use domain::{Access, AccountId, Action, LockId, authorize};
use http::StatusCode;

use super::ask::Ask;
use super::session::{Fault, Say, Session, refused};
use crate::lfs::{LfsError, LockPage};
use crate::moment::rfc3339;

impl Session<'_> {
    pub(super) async fn lock(&mut self, ask: &Ask) -> Result<(), Fault> {
        self.must_write()?;
        let new = NewLock {
            repository: self.repository.key,
            path: ask.argument("path").unwrap_or_default(),
            owner: self.account()?,
        };
        let (status, lock, message) = match self.site.forge.lfs.lock(new).await {
            Ok(lock) => (StatusCode::CREATED, lock, None),
            Err(LockError::Taken(lock)) => {
                let message = LockError::Taken(lock.clone()).to_string();
                (StatusCode::CONFLICT, *lock, Some(message))
            }
            Err(error) => return Err(error.into()),
        };
        let mut say = Say::status(status);
        describe(&mut say, &lock);
        if let Some(message) = message {
            say.delimiter();
            say.line(format_args!("{message}"));
        }
        say.flush();
        self.say(&mut say).await.map_err(Fault::Over)
    }

    pub(super) async fn list_locks(&mut self, ask: &Ask) -> Result<(), Fault> {
        let filter = LockFilter {
            path: ask.argument("path").map(str::to_owned),
            id: ask.argument("id").map(parse).transpose()?,
            after: ask.argument("cursor").map(parse).transpose()?,
        };
        let limit = ask.argument("limit").and_then(|limit| limit.parse().ok());
        let page = LockPage::read(self.site, &self.repository, &filter, limit).await?;
        let mut say = Say::status(StatusCode::OK);
        if let Some(cursor) = page.cursor() {
            say.line(format_args!("next-cursor={cursor}"));
        }
        say.delimiter();
        let me = self.viewer.account();
        for lock in &page.locks {
            let who = match me == Some(lock.owner) {
                true => "ours",
                false => "theirs",
            };
            let id = lock.id;
            say.line(format_args!("lock {id}"));
            say.line(format_args!("path {id} {}", lock.path));
            say.line(format_args!("locked-at {id} {}", rfc3339(lock.since)));
            say.line(format_args!("ownername {id} {}", lock.owner_name));
            say.line(format_args!("owner {id} {who}"));
        }
        say.flush();
        self.say(&mut say).await.map_err(Fault::Over)
    }

    pub(super) async fn unlock(&mut self, ask: &Ask) -> Result<(), Fault> {
        self.must_write()?;
        let id = parse(ask.operands.first().map_or("", String::as_str))?;
        let force = ask.argument("force") == Some("true") && self.administers();
        let by = self.account()?;
        let lfs = &self.site.forge.lfs;
        let lock = lfs.unlock(self.repository.key, id, by, force).await?;
        let mut say = Say::status(StatusCode::OK);
        describe(&mut say, &lock);
        say.flush();
        self.say(&mut say).await.map_err(Fault::Over)
    }

    fn account(&self) -> Result<AccountId, Fault> {
        let nobody = || refused(StatusCode::FORBIDDEN, "locks are somebody's");
        self.viewer.account().ok_or_else(nobody)
    }

    fn administers(&self) -> bool {
        authorize(&self.viewer, Action::Administer, Some(&self.repository)) == Access::Granted
    }
}

fn describe(say: &mut Say, lock: &Lock) {
    say.line(format_args!("id={}", lock.id));
    say.line(format_args!("path={}", lock.path));
    say.line(format_args!("locked-at={}", rfc3339(lock.since)));
    say.line(format_args!("ownername={}", lock.owner_name));
}

fn parse(text: &str) -> Result<LockId, Fault> {
    let none = |_| LfsError::new(StatusCode::NOT_FOUND, "there is no such lock");
    Ok(text.parse().map(LockId).map_err(none)?)
}
