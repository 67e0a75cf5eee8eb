//! What every page has around its own content: who reads it, in which language and colours, and where they are.

use std::{convert::Infallible, fmt::Write as _, sync::Arc};

use askama::Template;
use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header, request::Parts},
    response::{Html, IntoResponse, Redirect, Response},
};

use super::{
    CONTENT_SECURITY_POLICY, PageSettings,
    locale::{self, cookie},
};
use crate::{
    account::{Identity, Via},
    model::Language,
};

/// What the templates see of a visit.
#[derive(Debug, Clone)]
pub(super) struct Shell {
    pub version: &'static str,
    pub lang: &'static str,
    /// `light`, `dark`, or empty: as the system has it.
    pub theme: &'static str,
    /// The entry of the navigation that is open.
    pub here: &'static str,
    /// Somebody is known: logged in, or the server has no accounts.
    pub known: bool,
    /// They are known by a log-in, so that they can log out.
    pub logged_in: bool,
    pub admin: bool,
    /// Their name or address.
    pub person: String,
    /// Whether the server has accounts.
    pub accounts: bool,
    pub signup: String,
    pub max_upload_mb: u32,
    pub max_text_chars: u32,
    /// Whether there is a certificate to download and trust.
    pub authority: bool,
    language: Language,
}

impl Shell {
    pub(super) fn new(settings: &PageSettings, headers: &HeaderMap, identity: Option<&Identity>) -> Self {
        let user = identity.map(|identity| &identity.user);
        let language = locale::language(headers, user);
        let logged_in = identity.is_some_and(|identity| matches!(identity.via, Via::Login { .. }));
        let theme = user.and_then(|user| user.theme.as_deref()).or_else(|| cookie(headers, "theme"));
        Self {
            version: settings.version,
            lang: language.code(),
            theme: match theme {
                Some("light") => "light",
                Some("dark") => "dark",
                _ => "",
            },
            here: "",
            known: identity.is_some(),
            logged_in,
            admin: user.is_some_and(|user| user.admin),
            person: user.filter(|_| logged_in).map_or_else(String::new, |user| {
                if user.name.is_empty() { user.email.clone() } else { user.name.clone() }
            }),
            accounts: settings.auth_required,
            signup: settings.signup.clone(),
            max_upload_mb: settings.max_upload_mb,
            max_text_chars: settings.max_text_chars,
            authority: settings.authority.is_some(),
            language,
        }
    }

    /// The text with this key, in the reader's language.
    pub(super) fn t<'a>(&self, key: &'a str) -> &'a str {
        locale::text(self.language, key)
    }
}

/// A request for a page.
pub(super) struct Visit {
    pub shell: Shell,
    pub uri: Uri,
    settings: Arc<PageSettings>,
}

impl FromRequestParts<Arc<PageSettings>> for Visit {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, settings: &Arc<PageSettings>) -> Result<Self, Infallible> {
        let shell = Shell::new(settings, &parts.headers, parts.extensions.get::<Identity>());
        Ok(Self { shell, uri: parts.uri.clone(), settings: settings.clone() })
    }
}

impl Visit {
    /// A page for those who are known; others are led to the log-in, and back.
    pub(super) fn inside<T: Template>(mut self, here: &'static str, page: impl FnOnce(Shell) -> T) -> Response {
        if !self.shell.known {
            return self.to_login();
        }
        self.shell.here = here;
        respond(StatusCode::OK, &page(self.shell))
    }

    /// A page for administrators.
    pub(super) fn for_admins<T: Template>(self, here: &'static str, page: impl FnOnce(Shell) -> T) -> Response {
        if self.shell.known && !self.shell.admin {
            return super::failure::page(StatusCode::FORBIDDEN, self.shell, None);
        }
        self.inside(here, page)
    }

    /// The live page: open to everybody where the server has no accounts.
    pub(super) fn open<T: Template>(mut self, here: &'static str, page: impl FnOnce(Shell) -> T) -> Response {
        if self.settings.auth_required {
            return self.inside(here, page);
        }
        self.shell.here = here;
        respond(StatusCode::OK, &page(self.shell))
    }

    /// A page of the log-in family; who is known already has nothing to do there.
    pub(super) fn outside<T: Template>(self, page: impl FnOnce(Shell) -> T) -> Response {
        if self.shell.known {
            return Redirect::to(&next(&self.uri)).into_response();
        }
        respond(StatusCode::OK, &page(self.shell))
    }

    /// A page for whoever comes: what a mailed link leads to, and help.
    pub(super) fn anybody<T: Template>(self, page: impl FnOnce(Shell) -> T) -> Response {
        respond(StatusCode::OK, &page(self.shell))
    }

    fn to_login(&self) -> Response {
        let wanted = self.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut target = String::from("/login/?next=");
        for byte in wanted.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => {
                    target.push(char::from(byte));
                }
                _ => drop(write!(target, "%{byte:02X}")), // writing to a String cannot fail
            }
        }
        Redirect::to(&target).into_response()
    }
}

/// Where `?next=` leads, if that is a path of this server; else the dashboard.
fn next(uri: &Uri) -> String {
    let wanted = uri.query().unwrap_or_default().split('&').find_map(|pair| pair.strip_prefix("next="));
    // Only what needs no decoding but the slash: anything else is led to the dashboard, and is one click away there.
    let path = wanted.unwrap_or_default().replace("%2F", "/").replace("%2f", "/");
    let plain = path.bytes().all(|b| b.is_ascii_alphanumeric() || b"/-_.~".contains(&b));
    if path.starts_with('/') && !path.starts_with("//") && plain { path } else { "/app/".into() }
}

/// The page, with what browsers must know about it.
pub(super) fn respond<T: Template>(status: StatusCode, page: &T) -> Response {
    match page.render() {
        Ok(html) => {
            let mut response = (status, Html(html)).into_response();
            let fields = response.headers_mut();
            fields.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_SECURITY_POLICY));
            fields.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
            fields.insert("permissions-policy", HeaderValue::from_static("microphone=(self)"));
            fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
            fields.insert(header::VARY, HeaderValue::from_static("cookie, accept-language"));
            response
        }
        Err(error) => {
            tracing::error!(%error, "a page could not be rendered");
            (StatusCode::INTERNAL_SERVER_ERROR, "the page could not be made; the log says why\n").into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn next_leads_nowhere_but_to_this_server() {
        for (query, target) in [
            ("next=/app/history/", "/app/history/"),
            ("x=1&next=%2Fapp%2Fkeys%2F", "/app/keys/"),
            ("next=//evil.example/", "/app/"),
            ("next=%2F%2Fevil.example", "/app/"),
            ("next=https://evil.example/", "/app/"),
            ("next=/%5Cevil.example", "/app/"),
            ("next=/\\evil", "/app/"),
            ("", "/app/"),
        ] {
            let uri = format!("/login/?{query}").parse().or_else(|_| "/login/".parse()).expect("a path");
            assert_eq!(next(&uri), target, "{query}");
        }
    }
}
