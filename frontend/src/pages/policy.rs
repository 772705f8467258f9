use http::{HeaderName, HeaderValue, header};

/// What pages may load: this server's own styles and images, forms that go back
/// to it, nothing else.
pub(super) const PAGE_POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The header with such a policy.
pub(super) fn content_policy(policy: &'static str) -> (HeaderName, HeaderValue) {
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(policy),
    )
}
