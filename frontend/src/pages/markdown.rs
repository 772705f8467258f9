use maud::{Markup, PreEscaped};
use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, html};

use crate::pages::lookup::encode;

/// Where relative links of a text lead.
#[derive(Clone, Debug)]
pub(super) struct Links {
    /// The address of files' pages at this ref, without a slash at its end.
    pub(super) pages: String,
    /// The address of their bytes.
    pub(super) raw: String,
    /// The directory of the text, without slashes around it.
    pub(super) directory: String,
}

/// Renders Markdown. Raw HTML is shown as text, links lead nowhere but to the
/// web, to mail and within the repository, and images only come from there.
pub(super) fn render(text: &str, links: &Links) -> Markup {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_FOOTNOTES;
    let events = Parser::new_ext(text, options).map(|event| clean(event, links));
    let mut rendered = String::with_capacity(text.len() * 3 / 2);
    html::push_html(&mut rendered, events);
    PreEscaped(rendered)
}

fn clean<'a>(event: Event<'a>, links: &Links) -> Event<'a> {
    match event {
        Event::Html(html) | Event::InlineHtml(html) => Event::Text(html),
        Event::Start(Tag::Link {
            link_type,
            dest_url,
            title,
            id,
        }) => {
            let dest_url = link(&dest_url, &links.pages, links);
            Event::Start(Tag::Link {
                link_type,
                dest_url,
                title,
                id,
            })
        }
        Event::Start(Tag::Image {
            link_type,
            dest_url,
            title,
            id,
        }) => {
            let dest_url = link(&dest_url, &links.raw, links);
            Event::Start(Tag::Image {
                link_type,
                dest_url,
                title,
                id,
            })
        }
        other => other,
    }
}

fn link(target: &str, base: &str, links: &Links) -> CowStr<'static> {
    let target = target.trim();
    if let Some((scheme, _)) = target.split_once(':')
        && !scheme.contains(['/', '?', '#'])
    {
        let known = ["http", "https", "mailto"];
        let is_known = known.iter().any(|known| scheme.eq_ignore_ascii_case(known));
        return if is_known {
            target.to_owned().into()
        } else {
            "#".into()
        };
    }
    // `//host` is another site, and some browsers take `\` for `/`.
    if target.starts_with("//") || target.contains('\\') {
        return "#".into();
    }
    if target.starts_with('#') || target.is_empty() {
        return target.to_owned().into();
    }
    let (path, fragment) = match target.split_once('#') {
        Some((path, fragment)) => (path, format!("#{fragment}")),
        None => (target, String::new()),
    };
    let from = if path.starts_with('/') {
        ""
    } else {
        links.directory.as_str()
    };
    match join(from, path) {
        Some(path) => format!("{base}/{}{fragment}", reencode(&path)).into(),
        None => "#".into(),
    }
}

/// The path of a relative one; `None` if it leads out of the repository.
fn join(directory: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in directory.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Encodes what is not encoded already.
fn reencode(path: &str) -> String {
    encode(path).replace("%25", "%")
}

#[cfg(test)]
mod tests {
    use super::{Links, render};

    fn html(text: &str) -> String {
        let links = Links {
            pages: "/o/r/src/branch/main".to_owned(),
            raw: "/o/r/raw/branch/main".to_owned(),
            directory: "docs".to_owned(),
        };
        render(text, &links).into_string()
    }

    #[test]
    fn raw_html_is_shown_as_text() {
        for text in [
            "<script>alert(1)</script>",
            "a <img src=x onerror=alert(1)> b",
            "<!-- x -->",
        ] {
            let html = html(text);
            assert!(
                !html.contains("<script") && !html.contains("<img") && !html.contains("<!--"),
                "{html}"
            );
        }
    }

    #[test]
    fn links_lead_only_where_they_may() {
        let cases = [
            (
                "[a](https://example.org/x)",
                "href=\"https://example.org/x\"",
            ),
            ("[a](mailto:a@b)", "href=\"mailto:a@b\""),
            ("[a](javascript:alert(1))", "href=\"#\""),
            ("[a](JaVaScRiPt:alert(1))", "href=\"#\""),
            ("[a](data:text/html,x)", "href=\"#\""),
            ("[a](//evil.example)", "href=\"#\""),
            ("[a](\\\\evil.example)", "href=\"#\""),
            ("[a](b.md#c)", "href=\"/o/r/src/branch/main/docs/b.md#c\""),
            ("[a](../b.md)", "href=\"/o/r/src/branch/main/b.md\""),
            ("[a](/b.md)", "href=\"/o/r/src/branch/main/b.md\""),
            ("[a](../../../x)", "href=\"#\""),
            ("[a](#c)", "href=\"#c\""),
            ("![a](i.png)", "src=\"/o/r/raw/branch/main/docs/i.png\""),
            ("<javascript:alert(1)>", "href=\"#\""),
        ];
        for (text, expected) in cases {
            let html = html(text);
            assert!(html.contains(expected), "{text} became {html}");
        }
    }

    #[test]
    fn deep_nesting_is_rendered_without_trouble() {
        assert!(html(&">".repeat(20_000)).len() > 20_000);
        assert!(!html(&"[".repeat(50_000)).is_empty());
    }
}
