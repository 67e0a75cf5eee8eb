//! The pages people see, and the static files they load.
//!
//! A page is a template with a few ES modules; all of it is inside the binary. Nothing is loaded from elsewhere and
//! nothing is inline, so [`CONTENT_SECURITY_POLICY`] can forbid both. The scripts speak the HTTP interface and the native
//! protocol like any other client: they know no more about the server than `docs/` says.

mod assets;
mod failure;
pub mod locale;
mod shell;
mod views;

#[cfg(test)]
mod tests;

pub use self::{
    failure::{ErrorPages, wants_html},
    views::router,
};

/// What the pages may load and whom they may talk to: this server only, nothing inline. Sound that is played while it
/// arrives has a `blob:` address.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; \
                                           media-src 'self' blob:; object-src 'none'; base-uri 'none'; \
                                           frame-ancestors 'none'; form-action 'self'";

/// What the pages need to know about the server.
#[derive(Debug, Clone)]
pub struct PageSettings {
    /// Shown in small print.
    pub version: &'static str,
    /// Whether people need an account; the live page then asks for a log-in too.
    pub auth_required: bool,
    /// Who may make an account: `open`, `invitation` or `closed`.
    pub signup: String,
    /// Largest recording to transcribe, in megabytes.
    pub max_upload_mb: u32,
    /// Longest message or text to speak, in characters.
    pub max_text_chars: u32,
    /// A certificate (PEM) that people's devices have to trust to reach this server by HTTPS; `None`: none of its own.
    pub authority: Option<String>,
}

impl Default for PageSettings {
    fn default() -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            auth_required: false,
            signup: "open".into(),
            max_upload_mb: 10,
            max_text_chars: 5_000,
            authority: None,
        }
    }
}
