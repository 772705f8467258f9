use axum::Json;
use axum::extract::{FromRequestParts, Query};
use axum::response::{IntoResponse, Response};
use domain::Slice;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde::{Deserialize, Serialize};

use crate::api::ApiError;
use crate::limits::{PAGE_DEFAULT, PAGE_MAX};
use crate::request::BaseUrl;

const X_TOTAL_COUNT: HeaderName = HeaderName::from_static("x-total-count");

/// Which page a request asks for, and what the links to the others need.
#[derive(Clone, Debug)]
pub(super) struct Paging {
    page: u64,
    limit: u32,
    /// The address without `page`, ending in `?` or `&`.
    address: String,
}

#[derive(Debug, Deserialize)]
struct Asked {
    page: Option<u64>,
    limit: Option<u32>,
}

impl<S: Send + Sync> FromRequestParts<S> for Paging {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let asked = Query::<Asked>::from_request_parts(parts, state).await;
        let Query(asked) =
            asked.map_err(|_| ApiError::invalid("page and limit are positive numbers"))?;
        let limit = match asked.limit {
            None | Some(0) => PAGE_DEFAULT,
            Some(limit) => limit.min(PAGE_MAX),
        };
        let base = BaseUrl::from_parts(parts);
        let original = parts.extensions.get::<axum::extract::OriginalUri>();
        let uri = original.map_or(&parts.uri, |original| &original.0);
        let others = uri.query().unwrap_or_default().split('&');
        let kept: String = others
            .filter(|pair| !pair.is_empty() && !pair.starts_with("page=") && *pair != "page")
            .map(|pair| format!("{pair}&"))
            .collect();
        let address = format!("{}{}?{kept}", base.as_str(), uri.path());
        Ok(Self {
            page: asked.page.unwrap_or(1).max(1),
            limit,
            address,
        })
    }
}

impl Paging {
    pub(super) fn slice(&self) -> Slice {
        Slice {
            limit: self.limit,
            offset: (self.page - 1).saturating_mul(self.limit.into()),
        }
    }

    /// The page of a listing that is in memory whole.
    pub(super) fn cut<T>(&self, all: Vec<T>) -> (Vec<T>, u64) {
        let total = all.len() as u64;
        let Slice { limit, offset } = self.slice();
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        (
            all.into_iter().skip(offset).take(limit as usize).collect(),
            total,
        )
    }

    /// A page in JSON, with the headers that Gitea's clients page by.
    pub(super) fn answer<T: Serialize>(&self, items: &T, total: u64) -> Response {
        let mut response = Json(items).into_response();
        self.put_headers(response.headers_mut(), total);
        response
    }

    fn put_headers(&self, headers: &mut HeaderMap, total: u64) {
        headers.insert(X_TOTAL_COUNT, HeaderValue::from(total));
        let exposed = HeaderValue::from_static("X-Total-Count, Link");
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
        let last = total.div_ceil(self.limit.into()).max(1);
        let mut links = Vec::new();
        let mut link = |page: u64, rel: &str| {
            links.push(format!("<{}page={page}>; rel=\"{rel}\"", self.address));
        };
        if self.page < last {
            link(self.page + 1, "next");
            link(last, "last");
        }
        if self.page > 1 {
            link(1, "first");
            link((self.page - 1).min(last), "prev");
        }
        if !links.is_empty()
            && let Ok(value) = HeaderValue::from_str(&links.join(","))
        {
            headers.insert(header::LINK, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::extract::FromRequestParts;
    use http::{HeaderMap, Request, header};

    use super::{Paging, X_TOTAL_COUNT};

    async fn paging(uri: &str) -> Option<Paging> {
        let request = Request::get(uri)
            .header(header::HOST, "example.org")
            .body(())
            .unwrap();
        let (mut parts, ()) = request.into_parts();
        Paging::from_request_parts(&mut parts, &()).await.ok()
    }

    async fn links(uri: &str, total: u64) -> String {
        let mut headers = HeaderMap::new();
        paging(uri).await.unwrap().put_headers(&mut headers, total);
        assert_eq!(headers[X_TOTAL_COUNT], total.to_string());
        headers
            .get(header::LINK)
            .map(|link| link.to_str().unwrap().to_owned())
            .unwrap_or_default()
    }

    #[tokio::test]
    async fn pages_are_linked_to_one_another() {
        assert_eq!(links("/a", 3).await, "");
        assert_eq!(
            links("/a?q=x&page=2&limit=10", 25).await,
            "<http://example.org/a?q=x&limit=10&page=3>; rel=\"next\",\
             <http://example.org/a?q=x&limit=10&page=3>; rel=\"last\",\
             <http://example.org/a?q=x&limit=10&page=1>; rel=\"first\",\
             <http://example.org/a?q=x&limit=10&page=1>; rel=\"prev\""
        );
    }

    #[tokio::test]
    async fn limits_and_pages_are_bounded() {
        let slice = paging("/a?page=3&limit=1000").await.unwrap().slice();
        assert_eq!((slice.limit, slice.offset), (50, 100));
        let slice = paging("/a?page=0&limit=0").await.unwrap().slice();
        assert_eq!((slice.limit, slice.offset), (30, 0));
        let far = paging(&format!("/a?page={}", u64::MAX)).await.unwrap();
        assert_eq!(far.cut(vec![1, 2, 3]), (vec![], 3));
        assert!(paging("/a?page=x").await.is_none());
        assert!(paging("/a?limit=-1").await.is_none());
    }
}
