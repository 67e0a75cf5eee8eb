//! The cookie of a log-in.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue};
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};

use crate::account::AccountSettings;

/// Its name; over HTTPS with `__Host-` before it, so that no neighbouring host can set one.
const NAME: &str = "aigolos_session";
const NAME_SECURE: &str = "__Host-aigolos_session";

fn name(settings: &AccountSettings) -> &'static str {
    if settings.secure_cookies { NAME_SECURE } else { NAME }
}

/// The token in the request's cookie.
#[must_use]
pub fn token(settings: &AccountSettings, headers: &HeaderMap) -> Option<String> {
    CookieJar::from_headers(headers).get(name(settings)).map(|cookie| cookie.value().to_owned())
}

/// The `Set-Cookie` that keeps `token` as long as the log-in lasts.
#[must_use]
pub fn set(settings: &AccountSettings, token: &str) -> HeaderValue {
    field(settings, token.to_owned(), settings.session)
}

/// The `Set-Cookie` that takes it away.
#[must_use]
pub fn end(settings: &AccountSettings) -> HeaderValue {
    field(settings, String::new(), Duration::ZERO)
}

fn field(settings: &AccountSettings, value: String, lasts: Duration) -> HeaderValue {
    let cookie = Cookie::build((name(settings), value))
        .http_only(true)
        .same_site(SameSite::Lax)
        .path("/")
        .secure(settings.secure_cookies)
        .max_age(lasts.try_into().unwrap_or_default())
        .build();
    // Tokens are base64; a value that is not could only come from a cookie, and then it is taken away.
    cookie.to_string().parse().unwrap_or(HeaderValue::from_static("aigolos_session=; Path=/; Max-Age=0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_is_for_the_server_alone() {
        let mut settings = AccountSettings { session: Duration::from_hours(24), ..AccountSettings::default() };
        let plain = set(&settings, "abc");
        assert_eq!(plain, "aigolos_session=abc; HttpOnly; SameSite=Lax; Path=/; Max-Age=86400");
        settings.secure_cookies = true;
        let secure = set(&settings, "abc");
        assert_eq!(secure, "__Host-aigolos_session=abc; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=86400");
        let headers = HeaderMap::from_iter([(
            axum::http::header::COOKIE,
            "a=b; __Host-aigolos_session=abc".parse().expect("ASCII"),
        )]);
        assert_eq!(token(&settings, &headers).as_deref(), Some("abc"));
        settings.secure_cookies = false;
        assert_eq!(token(&settings, &headers), None);
        assert!(end(&settings).to_str().expect("ASCII").contains("Max-Age=0"));
    }
}
