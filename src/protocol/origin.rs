//! Which page a request comes from. Browsers say it, programs do not. A page of another host could otherwise act through
//! its visitors' browsers, which have cookies and reach what the page's author cannot.

use axum::http::{HeaderMap, HeaderValue, Uri, header};

use super::error::{ApiError, Code};

/// The origins whose pages may use the server.
#[derive(Debug, Clone, Default)]
pub struct Origins {
    /// How people reach the server, if it is not by the name in `Host` (`https://voice.example.org`).
    pub own: Option<String>,
    /// Others (`https://talk.example.org`), or `*` for all. They never come with the visitor's log-in.
    pub allowed: Vec<String>,
}

/// Where a request comes from, as its browser says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A page of this server.
    Own,
    /// A page that the operator allows.
    Allowed,
    /// Any other page.
    Foreign,
    /// Nothing is said: a program, or a browser that follows a link.
    Unsaid,
}

impl Origins {
    /// What `Sec-Fetch-Site` and `Origin` say.
    #[must_use]
    pub fn source(&self, headers: &HeaderMap) -> Source {
        match headers.get("sec-fetch-site").map(HeaderValue::as_bytes) {
            Some(b"same-origin" | b"none") => return Source::Own,
            // Older browsers do not say it; the others say more with the origin.
            Some(_) if !headers.contains_key(header::ORIGIN) => return Source::Foreign,
            _ => {}
        }
        let Some(origin) = headers.get(header::ORIGIN) else { return Source::Unsaid };
        let is_own = |own: &String| origin_equals(origin, own);
        if is_of_host(origin, headers.get(header::HOST)) || self.own.as_ref().is_some_and(is_own) {
            Source::Own
        } else if self.allowed.iter().any(|entry| entry == "*" || origin_equals(origin, entry)) {
            Source::Allowed
        } else {
            Source::Foreign
        }
    }

    /// Refuses pages of other hosts.
    ///
    /// # Errors
    /// [`Code::OriginRefused`].
    pub fn check(&self, headers: &HeaderMap) -> Result<(), ApiError> {
        if self.source(headers) == Source::Foreign { Err(refused()) } else { Ok(()) }
    }
}

/// The answer to a page of another host.
#[must_use]
pub fn refused() -> ApiError {
    ApiError::new(
        Code::OriginRefused,
        "a page of this origin may not connect",
        "open the page from the server itself, or let the operator allow the origin",
    )
}

fn origin_equals(origin: &HeaderValue, entry: &str) -> bool {
    origin.as_bytes().eq_ignore_ascii_case(entry.trim_end_matches('/').as_bytes())
}

/// Whether the page came from the host that is now asked. The scheme may differ: a proxy may speak TLS for us.
fn is_of_host(origin: &HeaderValue, host: Option<&HeaderValue>) -> bool {
    let authority = |value: &HeaderValue| value.to_str().ok().map(str::to_ascii_lowercase);
    let (Some(origin), Some(host)) = (authority(origin), host.and_then(authority)) else {
        return false;
    };
    let Ok(origin) = origin.parse::<Uri>() else {
        return false;
    };
    let default_port = match origin.scheme_str() {
        Some("https") => ":443",
        Some("http") => ":80",
        _ => return false,
    };
    let Some(authority) = origin.authority() else {
        return false;
    };
    let bare = |authority: &str| authority.strip_suffix(default_port).unwrap_or(authority).to_owned();
    !host.is_empty() && bare(authority.as_str()) == bare(&host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
        fields.iter().map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value"))).collect()
    }

    fn refused(origin: &str, host: &str, allowed: &[&str]) -> bool {
        let mut fields = vec![("origin", origin)];
        if !host.is_empty() {
            fields.push(("host", host));
        }
        let origins = Origins { own: None, allowed: allowed.iter().map(|&entry| entry.to_owned()).collect() };
        match origins.check(&headers(&fields)) {
            Ok(()) => false,
            Err(error) => {
                assert_eq!(error.code, Code::OriginRefused);
                true
            }
        }
    }

    #[test]
    fn own_pages_and_programs_come_in() {
        assert!(Origins::default().check(&HeaderMap::new()).is_ok());
        for (origin, host) in [
            ("http://127.0.0.1:8080", "127.0.0.1:8080"),
            ("http://LocalHost:8080", "localhost:8080"),
            ("https://talk.example.org", "talk.example.org"),
            ("https://talk.example.org", "talk.example.org:443"),
            ("http://[::1]:8080", "[::1]:8080"),
        ] {
            assert!(!refused(origin, host, &[]), "{origin} at {host}");
        }
    }

    #[test]
    fn foreign_pages_stay_out() {
        for (origin, host) in [
            ("http://evil.example", "127.0.0.1:8080"),
            ("http://127.0.0.1:9090", "127.0.0.1:8080"),
            ("http://localhost", "localhost:8080"),
            ("http://localhost:8080.evil.example", "localhost:8080"),
            ("http://localhost:8080@evil.example", "localhost:8080"),
            ("null", "localhost:8080"),
            ("null", "null"),
            ("file://", "localhost:8080"),
            ("http://localhost:8080", ""),
        ] {
            assert!(refused(origin, host, &[]), "{origin} at {host}");
        }
    }

    #[test]
    fn the_operator_may_allow_others() {
        assert!(!refused("https://app.example.org", "localhost:8080", &["https://app.example.org/"]));
        assert!(!refused("https://any.example", "localhost:8080", &["*"]));
        assert!(refused("https://app.example.org.evil.example", "localhost:8080", &["https://app.example.org"]));
    }

    #[test]
    fn what_browsers_say_themselves_counts_most() {
        let origins =
            Origins { own: Some("https://voice.example.org".into()), allowed: vec!["https://app.example.org".into()] };
        for (fields, source) in [
            (&[("sec-fetch-site", "same-origin"), ("origin", "https://odd.example")][..], Source::Own),
            (&[("sec-fetch-site", "none")], Source::Own),
            (&[("sec-fetch-site", "cross-site")], Source::Foreign),
            (&[("sec-fetch-site", "same-site"), ("origin", "https://evil.example.org")], Source::Foreign),
            (&[("sec-fetch-site", "cross-site"), ("origin", "https://app.example.org")], Source::Allowed),
            (&[("origin", "https://voice.example.org"), ("host", "10.0.0.7:8080")], Source::Own),
            (&[("origin", "https://app.example.org"), ("host", "voice.example.org")], Source::Allowed),
            (&[("host", "voice.example.org")], Source::Unsaid),
        ] {
            assert_eq!(origins.source(&headers(fields)), source, "{fields:?}");
        }
    }
}
