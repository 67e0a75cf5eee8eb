//! The kept sound of a turn, with the ranges a player asks for when somebody jumps in it.

use std::ops::Range;

use axum::{
    body::Bytes,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{History, private, reader};
use crate::{
    model::TurnId,
    protocol::{
        caller::Caller,
        error::{ApiError, Problem},
        json::Id,
    },
    store::Side,
};

/// The sound of one side of a turn
#[utoipa::path(get, path = "/api/conversations/{id}/audio/{session}/{turn}/{side}", tag = "history",
    params(
        ("id" = Uuid, Path),
        ("session" = Uuid, Path),
        ("turn" = u32, Path),
        ("side" = Side, Path),
        ("range" = Option<String>, Header, description = "one range of bytes; others are not followed"),
    ),
    responses(
        (status = 200, description = "Opus in Ogg", content_type = "audio/ogg", body = Vec<u8>),
        (status = 206, description = "the part that was asked for", content_type = "audio/ogg", body = Vec<u8>),
        (status = 304, description = "If-None-Match names what is there"),
        (status = 404, description = "there is none, or it is another's", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn sound(
    State(history): State<History>,
    caller: Caller,
    Id((id, session, turn, side)): Id<(Uuid, Uuid, u32, Side)>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let user = reader(&caller)?;
    let sound = history.store.audio(user, id.into(), session.into(), TurnId(turn), side).await?;
    let sound = Bytes::from(sound.ok_or_else(|| ApiError::not_found("sound"))?);
    Ok(private(answer(&sound, &headers)))
}

fn answer(sound: &Bytes, asked: &HeaderMap) -> Response {
    let tag = format!("\"{}\"", HEXLOWER.encode(&Sha256::digest(sound)[..12]));
    let header_of = |name| asked.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let etag = (header::ETAG, tag.clone());
    let known = header_of(header::IF_NONE_MATCH).is_some_and(|tags| {
        tags.split(',').map(|tag| tag.trim().trim_start_matches("W/")).any(|t| t == tag || t == "*")
    });
    if known {
        return (StatusCode::NOT_MODIFIED, [etag]).into_response();
    }
    // A part of something else than the client has would not fit.
    let same = header_of(header::IF_RANGE).is_none_or(|known| known == tag);
    let range = header_of(header::RANGE).filter(|_| same).and_then(|range| range_of(range, sound.len()));
    let kind = (header::CONTENT_TYPE, "audio/ogg".to_owned());
    let ranges = (header::ACCEPT_RANGES, "bytes".to_owned());
    match range {
        Some(range) => {
            let told = format!("bytes {}-{}/{}", range.start, range.end - 1, sound.len());
            let headers = [kind, ranges, etag, (header::CONTENT_RANGE, told)];
            (StatusCode::PARTIAL_CONTENT, headers, sound.slice(range)).into_response()
        }
        None => ([kind, ranges, etag], sound.clone()).into_response(),
    }
}

/// The one range of bytes that is asked for. `None`: several, none that is there, or not a range; then all is sent,
/// as RFC 9110 allows.
fn range_of(text: &str, length: usize) -> Option<Range<usize>> {
    let (first, last) = text.strip_prefix("bytes=")?.trim().split_once('-')?;
    let number = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<usize>().ok()).flatten();
    let range = if first.is_empty() {
        length.saturating_sub(number(last)?)..length
    } else if last.is_empty() {
        number(first)?..length
    } else {
        number(first)?..number(last)?.checked_add(1)?.min(length)
    };
    (range.start < range.end).then_some(range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_followed() {
        for (text, range) in [
            ("bytes=0-0", Some(0..1)),
            ("bytes=10-", Some(10..100)),
            ("bytes=-10", Some(90..100)),
            ("bytes=-1000", Some(0..100)),
            ("bytes=90-1000", Some(90..100)),
            ("bytes=100-", None),
            ("bytes=5-4", None),
            ("bytes=-0", None),
            ("bytes=0-1,5-6", None),
            ("bytes=-", None),
            ("bytes=+1-2", None),
            ("lines=0-1", None),
            ("bytes=0-18446744073709551615", None),
            ("", None),
        ] {
            assert_eq!(range_of(text, 100), range, "{text}");
        }
    }

    #[test]
    fn what_the_browser_has_is_not_sent_again() {
        let sound = Bytes::from_static(b"0123456789");
        let ask = |headers: &[(header::HeaderName, &str)]| {
            let headers =
                headers.iter().map(|(name, value)| (name.clone(), value.parse().expect("a header"))).collect();
            answer(&sound, &headers)
        };
        let whole = ask(&[]);
        assert_eq!(whole.status(), StatusCode::OK);
        let tag = whole.headers()[header::ETAG].to_str().expect("ASCII").to_owned();
        assert_eq!(ask(&[(header::IF_NONE_MATCH, &format!("\"x\", W/{tag}"))]).status(), StatusCode::NOT_MODIFIED);
        let part = ask(&[(header::RANGE, "bytes=2-3"), (header::IF_RANGE, &tag)]);
        assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
        assert_eq!(part.headers()[header::CONTENT_RANGE], "bytes 2-3/10");
        assert_eq!(ask(&[(header::RANGE, "bytes=2-3"), (header::IF_RANGE, "\"old\"")]).status(), StatusCode::OK);
    }
}
