//! Where a request comes from, as accounts want to know it.

use std::convert::Infallible;

use axum::{
    extract::FromRequestParts,
    http::{header, request::Parts},
};

use super::client::{self, ClientAddress};
use crate::account::{Identity, Visitor};

/// Takes a [`Visitor`] out of a request.
#[derive(Debug, Clone)]
pub struct Visit(pub Visitor);

impl<S: Send + Sync> FromRequestParts<S> for Visit {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let ClientAddress(address) = ClientAddress::from_request_parts(parts, state).await?;
        let user_agent =
            parts.headers.get(header::USER_AGENT).map(|value| String::from_utf8_lossy(value.as_bytes()).into());
        let language = client::language(&parts.headers, parts.extensions.get::<Identity>());
        Ok(Self(Visitor { address, user_agent: user_agent.unwrap_or_default(), language }))
    }
}
