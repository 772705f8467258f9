use storage_node_api::metadata::Value;

use crate::facts::FactsError;
use crate::limits::SEARCH;
use crate::permissions::visible_condition;
use crate::repositories::repository::{ROW, read_row};
use crate::repositories::{Repositories, Repository};
use crate::{Access, AccountId, Action, Page, RepositoryKey, Slice, Viewer, authorize};

/// Which repositories to list.
#[derive(Clone, Debug, Default)]
pub struct Filter<'a> {
    /// Only this account's.
    pub owner: Option<AccountId>,
    /// Only those with this in their name, in any case.
    pub text: Option<&'a str>,
    /// Also those with the text in their description.
    pub in_description: bool,
    /// Only forks of this one.
    pub fork_of: Option<RepositoryKey>,
    /// Only private or only public ones.
    pub is_private: Option<bool>,
    /// In which order.
    pub sort: Sort,
    /// The other way round.
    pub descending: bool,
}

/// By what a listing is ordered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// By name.
    #[default]
    Name,
    /// By when it was made.
    Created,
    /// By when its settings changed.
    Updated,
    /// By its id.
    Id,
}

impl Sort {
    fn column(self) -> &'static str {
        match self {
            Self::Name => "r.name_key",
            Self::Created => "r.created",
            Self::Updated => "r.updated",
            Self::Id => "r.id",
        }
    }
}

impl Repositories {
    /// Those repositories that the viewer may know of.
    pub async fn list(
        &self,
        viewer: &Viewer,
        filter: &Filter<'_>,
        slice: Slice,
    ) -> Result<Page<Repository>, FactsError> {
        let mut params = Vec::new();
        let condition = condition(viewer, filter, &mut params);
        let count = format!(
            "SELECT COUNT(*) FROM repositories r JOIN users u ON u.id = r.owner_id WHERE {condition}"
        );
        let rows = self.facts.query(&count, params.clone()).await?;
        let total = rows
            .into_iter()
            .next()
            .map_or(Ok(0), |mut row| row.integer())?;
        let direction = if filter.descending { "DESC" } else { "ASC" };
        let sql = format!(
            "{ROW} WHERE {condition} ORDER BY {} {direction}, r.id LIMIT ${} OFFSET ${}",
            filter.sort.column(),
            params.len() + 1,
            params.len() + 2,
        );
        params.extend(slice.params());
        let mut items = Vec::new();
        for mut row in self.facts.query(&sql, params).await? {
            let repository = read_row(&mut row)?.repository;
            // The condition should say the same; if ever it does not, this decides.
            if authorize(viewer, Action::Read, Some(&repository)) != Access::Hidden {
                items.push(repository);
            }
        }
        Ok(Page {
            items,
            total: total.unsigned_abs(),
        })
    }
}

fn condition(viewer: &Viewer, filter: &Filter<'_>, params: &mut Vec<Value>) -> String {
    let mut terms = vec![
        "r.state = 'active'".to_owned(),
        "u.is_active = 1".to_owned(),
        visible_condition(viewer, params),
    ];
    let mut equal = |column: &str, value: Value| {
        params.push(value);
        terms.push(format!("{column} = ${}", params.len()));
    };
    if let Some(owner) = filter.owner {
        equal("r.owner_id", owner.into());
    }
    if let Some(fork_of) = filter.fork_of {
        equal("r.fork_of", fork_of.into());
    }
    if let Some(is_private) = filter.is_private {
        equal("r.is_private", is_private.into());
    }
    if let Some(text) = filter.text.filter(|text| !text.is_empty()) {
        params.push(pattern(&text.to_lowercase()).into());
        let mut term = format!("r.name_key LIKE ${} ESCAPE '!'", params.len());
        if filter.in_description {
            params.push(pattern(text).into());
            term = format!(
                "({term} OR r.description LIKE ${} ESCAPE '!')",
                params.len()
            );
        }
        terms.push(term);
    }
    terms.join(" AND ")
}

/// The `LIKE` pattern of texts that contain this one.
fn pattern(text: &str) -> String {
    let mut pattern = String::from("%");
    for c in text.chars().filter(|c| !c.is_control()).take(SEARCH) {
        if matches!(c, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}
