use std::collections::BTreeMap;
use std::fmt;

/// What a scope is about, as in Gitea.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Category {
    /// ActivityPub.
    ActivityPub,
    /// Administration.
    Admin,
    /// Issues.
    Issue,
    /// What has no category of its own.
    Misc,
    /// Notifications.
    Notification,
    /// Organisations.
    Organization,
    /// Packages.
    Package,
    /// Repositories and their content.
    Repository,
    /// The account itself.
    User,
}

/// How much of a category.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Look.
    Read,
    /// Look and change.
    Write,
}

/// What a token may be used for, at most what its account may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scopes {
    levels: BTreeMap<Category, Level>,
    public_only: bool,
}

/// A text that names no scope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    /// Not one of the names.
    #[error("unknown token scope {0:?}: use \"all\", \"public-only\", or \"read:\" or \"write:\" and one of {list}", list = Category::names())]
    Unknown(String),
    /// No scope at all.
    #[error("a token needs at least one scope, such as \"read:repository\"")]
    None,
}

impl Category {
    /// Every category.
    pub const ALL: [Self; 9] = [
        Self::ActivityPub,
        Self::Admin,
        Self::Issue,
        Self::Misc,
        Self::Notification,
        Self::Organization,
        Self::Package,
        Self::Repository,
        Self::User,
    ];

    /// Its name within a scope.
    pub fn name(self) -> &'static str {
        match self {
            Self::ActivityPub => "activitypub",
            Self::Admin => "admin",
            Self::Issue => "issue",
            Self::Misc => "misc",
            Self::Notification => "notification",
            Self::Organization => "organization",
            Self::Package => "package",
            Self::Repository => "repository",
            Self::User => "user",
        }
    }

    fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::Write => "write",
        })
    }
}

impl Scopes {
    /// Everything that the account may do.
    pub fn all() -> Self {
        let levels = Category::ALL
            .into_iter()
            .map(|category| (category, Level::Write));
        Self {
            levels: levels.collect(),
            public_only: false,
        }
    }

    /// The scopes of these names.
    pub fn parse<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, ScopeError> {
        let mut scopes = Self {
            levels: BTreeMap::new(),
            public_only: false,
        };
        for name in names {
            scopes.add(name)?;
        }
        if scopes.levels.is_empty() {
            Err(ScopeError::None)
        } else {
            Ok(scopes)
        }
    }

    fn add(&mut self, name: &str) -> Result<(), ScopeError> {
        match name {
            "all" => self.levels = Self::all().levels,
            "public-only" => self.public_only = true,
            _ => {
                let (level, category) = parse_one(name)
                    .ok_or_else(|| ScopeError::Unknown(name.chars().take(64).collect()))?;
                let held = self.levels.entry(category).or_insert(level);
                *held = (*held).max(level);
            }
        }
        Ok(())
    }

    /// Their names, as few as say it.
    pub fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        if self.public_only {
            names.push("public-only".to_owned());
        }
        if self.levels == Self::all().levels {
            names.push("all".to_owned());
        } else {
            let one =
                |(category, level): (&Category, &Level)| format!("{level}:{}", category.name());
            names.extend(self.levels.iter().map(one));
        }
        names
    }

    /// Whether they include this much of that category.
    pub fn allow(&self, level: Level, category: Category) -> bool {
        self.levels
            .get(&category)
            .is_some_and(|held| *held >= level)
    }

    /// Whether private things stay hidden.
    pub fn public_only(&self) -> bool {
        self.public_only
    }

    /// As they are stored.
    pub(crate) fn to_text(&self) -> String {
        self.names().join(",")
    }

    pub(crate) fn from_text(text: &str) -> Option<Self> {
        Self::parse(text.split(',')).ok()
    }
}

fn parse_one(name: &str) -> Option<(Level, Category)> {
    let (level, category) = name.split_once(':')?;
    let level = match level {
        "read" => Level::Read,
        "write" => Level::Write,
        _ => return None,
    };
    let category = Category::ALL
        .into_iter()
        .find(|known| known.name() == category)?;
    Some((level, category))
}

#[cfg(test)]
mod tests {
    use super::{Category, Level, ScopeError, Scopes};

    #[test]
    fn write_includes_read_and_nothing_else() {
        let scopes = Scopes::parse(["write:repository", "read:repository", "read:user"]).unwrap();
        assert!(scopes.allow(Level::Read, Category::Repository));
        assert!(scopes.allow(Level::Write, Category::Repository));
        assert!(scopes.allow(Level::Read, Category::User));
        assert!(!scopes.allow(Level::Write, Category::User));
        assert!(!scopes.allow(Level::Read, Category::Admin));
        assert_eq!(scopes.names(), ["write:repository", "read:user"]);
    }

    #[test]
    fn scopes_read_back_what_they_store() {
        for names in [
            &["all"][..],
            &["public-only", "read:issue"],
            &["write:package"],
        ] {
            let scopes = Scopes::parse(names.iter().copied()).unwrap();
            assert_eq!(scopes.names(), names);
            assert_eq!(Scopes::from_text(&scopes.to_text()), Some(scopes));
        }
        assert!(Scopes::all().allow(Level::Write, Category::Admin));
    }

    #[test]
    fn what_is_no_scope_is_refused() {
        for name in ["", "repo", "read:", "admin:repository", "read:everything"] {
            assert_eq!(
                Scopes::parse([name]),
                Err(ScopeError::Unknown(name.to_owned()))
            );
        }
        assert_eq!(Scopes::parse([]), Err(ScopeError::None));
        assert_eq!(Scopes::parse(["public-only"]), Err(ScopeError::None));
    }
}
