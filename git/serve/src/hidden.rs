use git_id::RefName;

/// Which refs are hidden, in the language of git's `transfer.hideRefs`.
///
/// A rule is a ref name, which hides itself and all below it; `!` before it
/// shows them again. The last rule that fits decides. `^` (match the full name
/// across namespaces) is accepted; names are always those that clients see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HiddenRefs {
    rules: Vec<Rule>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    prefix: String,
    hides: bool,
}

impl HiddenRefs {
    /// Rules in the order in which they were written.
    pub fn new<'a>(rules: impl IntoIterator<Item = &'a str>) -> Self {
        let rules = rules.into_iter().map(|text| {
            let (hides, text) = text
                .strip_prefix('!')
                .map_or((true, text), |rest| (false, rest));
            let prefix = text.strip_prefix('^').unwrap_or(text).trim_end_matches('/');
            Rule {
                prefix: prefix.to_owned(),
                hides,
            }
        });
        Self {
            rules: rules.collect(),
        }
    }

    /// Whether the ref is hidden.
    pub fn hides(&self, name: &RefName) -> bool {
        let fits = |rule: &&Rule| {
            let rest = name.as_str().strip_prefix(rule.prefix.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.rules
            .iter()
            .rev()
            .find(fits)
            .is_some_and(|rule| rule.hides)
    }
}

#[cfg(test)]
mod tests {
    use git_id::RefName;

    use super::HiddenRefs;

    #[test]
    fn the_last_rule_that_fits_decides() {
        let hidden = HiddenRefs::new([
            "refs/pull/",
            "!refs/pull/1",
            "^refs/internal",
            "refs/pull/1/x",
        ]);
        let cases = [
            ("refs/pull/2/head", true),
            ("refs/pull/1/head", false),
            ("refs/pull/1", false),
            ("refs/pull/1/x", true),
            ("refs/pull/1/xy", false),
            ("refs/pullx", false),
            ("refs/internal/a", true),
            ("refs/heads/main", false),
        ];
        for (name, expected) in cases {
            assert_eq!(
                hidden.hides(&RefName::new(name).unwrap()),
                expected,
                "{name}"
            );
        }
    }
}
