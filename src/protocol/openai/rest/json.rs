//! JSON bodies, with the field that is wrong named in OpenAI's way.

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::header,
};
use serde::de::DeserializeOwned;

use super::errors::Refused;
use crate::{
    protocol::{
        error::{ApiError, Code},
        json::too_large,
    },
    surrogates,
};

/// A JSON body. Fields that are not known are left alone: clients are newer than servers.
#[derive(Debug, Clone)]
pub struct Fields<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Fields<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refused> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if essence != "application/json" && !essence.ends_with("+json") {
            let hint = "send it with Content-Type: application/json";
            return Err(ApiError::new(Code::UnsupportedMedia, "the body is not declared as JSON", hint).into());
        }
        let bytes =
            Bytes::from_request(request, state).await.map_err(|rejection| match rejection.status().as_u16() {
                413 => too_large(),
                _ => ApiError::new(Code::BadRequest, "the body breaks off", "send it again"),
            })?;
        parse(&bytes).map(Self)
    }
}

/// # Errors
/// 400, with the field that is wrong.
fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refused> {
    // A list would be taken for the fields in their order.
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(not_json().into());
    }
    let bytes = surrogates::replaced(bytes);
    let mut json = serde_json::Deserializer::from_slice(&bytes);
    let parsed = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let (path, inner) = (error.path().to_string(), error.into_inner());
        if !inner.is_data() {
            return Refused::from(not_json());
        }
        // Where in the text it stands says nothing to who has built it from an object.
        let text = inner.to_string();
        let problem = text.split(" at line ").next().unwrap_or_default();
        match problem.strip_prefix("missing field `").and_then(|rest| rest.split('`').next()) {
            Some(field) => {
                let before = if path == "." { String::new() } else { format!("{path}.") };
                Refused::missing(&format!("{before}{field}"), "send it")
            }
            // No one field is wrong, such as where one is there twice.
            None if path == "." => ApiError::new(Code::InvalidField, problem, FIELDS).into(),
            None => Refused::value(&path, problem, FIELDS),
        }
    })?;
    json.end().map_err(|_| Refused::from(not_json()))?;
    Ok(parsed)
}

const FIELDS: &str = "the fields are described at /api/docs/";

fn not_json() -> ApiError {
    ApiError::new(Code::InvalidJson, "the body is no JSON object", "send one, and nothing behind it")
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only read")]
    struct Body {
        input: String,
        #[serde(default)]
        inner: Option<Inner>,
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only read")]
    struct Inner {
        number: f32,
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (body, param, code) in [
            (r#"{"inner": {"number": 1}}"#, Some("input"), Some("missing_required_parameter")),
            (r#"{"input": 3}"#, Some("input"), Some("invalid_value")),
            (r#"{"input": "a", "inner": {"number": "b"}}"#, Some("inner.number"), Some("invalid_value")),
            (r#"{"input": "a", "inner": {}}"#, Some("inner.number"), Some("missing_required_parameter")),
            (r#"{"input": "a", "input": "b"}"#, None, Some("invalid_value")),
            (r#"["a"]"#, None, None),
            ("7", None, None),
            ("null", None, None),
            (r#"{"input": "a"} and more"#, None, None),
            ("{", None, None),
            ("", None, None),
        ] {
            let refused = parse::<Body>(body.as_bytes()).expect_err(body);
            let said = refused.body().error;
            assert_eq!(refused.status(), 400, "{body}");
            assert_eq!((said.param.as_deref(), said.code.as_deref()), (param, code), "{body}: {}", said.message);
            assert!(!said.message.contains(" line "), "{}", said.message);
        }
        assert!(parse::<Body>(br#"{"input": "a", "new": [1]}"#).is_ok());
        let half = parse::<Body>(br#"{"input": "Hello \ud83d there"}"#).expect("half an emoji is no reason");
        assert_eq!(half.input, "Hello \u{fffd} there");
    }
}
