//! Names of models, and the description of the endpoints.

use std::collections::BTreeSet;

use aigolos::protocol::openai::rest::{
    models::ALIASES,
    support::{ENDPOINTS, FIELDS, Status},
};
use reqwest::Method;
use serde_json::json;

use super::client::{get, json_of, refused, request};
use crate::harness::TestServer;

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_and_what_stands_for_it_is_listed() {
    let server = TestServer::start(&[]).await;
    let (status, list) = get(&server, "/v1/models").await;
    assert_eq!((status, &list["object"]), (200, &json!("list")));
    let models = list["data"].as_array().expect("models");
    let ids: Vec<&str> = models.iter().map(|model| model["id"].as_str().expect("text")).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "each once: {ids:?}");
    assert!(ids.contains(&"aigolos-nano-en") && ids.contains(&"assistant"), "{ids:?}");
    assert!(ALIASES.iter().all(|alias| ids.contains(alias)), "{ids:?}");
    for model in models {
        assert_eq!(model["object"], "model");
        assert!(model["created"].as_u64() > Some(1_600_000_000) && model["owned_by"].is_string(), "{model}");
        let id = model["id"].as_str().expect("text");
        let (status, one) = get(&server, &format!("/v1/models/{id}")).await;
        assert_eq!((status, &one), (200, model));
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_models_are_told_so_whatever_their_name_holds() {
    let server = TestServer::start(&[]).await;
    for path in ["gpt-9", "Systran/faster-whisper-small", "Systran%2Ffaster-whisper-small", "llama3.2:1b", "%D1%8F"] {
        let answer = request(&server, Method::GET, &format!("/v1/models/{path}")).send().await.expect("an answer");
        let (status, error, message) = refused(answer).await;
        assert_eq!(
            (status, &error["code"], &error["param"]),
            (404, &json!("model_not_found"), &json!("model")),
            "{path}"
        );
        assert!(path != "Systran%2Ffaster-whisper-small" || message.contains("Systran/faster"), "{message}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_table_of_endpoints_is_what_is_described_and_served() {
    const OURS: [&str; 3] = ["/v1/audio/", "/v1/models", "/v1/chat/"];
    let server = TestServer::start(&[]).await;
    let answer = request(&server, Method::GET, "/api/openapi.json").send().await.expect("an answer");
    let (_, description) = json_of(answer).await;
    let described: BTreeSet<String> = description["paths"]
        .as_object()
        .expect("paths")
        .iter()
        .filter(|(path, _)| OURS.iter().any(|ours| path.starts_with(ours)))
        .flat_map(|(path, item)| {
            item.as_object().expect("an item").keys().map(move |method| format!("{} {path}", method.to_uppercase()))
        })
        .collect();
    let listed = ENDPOINTS.iter().filter(|endpoint| !matches!(endpoint.status, Status::No(_)));
    let listed: BTreeSet<String> = listed
        .map(|endpoint| endpoint.name.to_owned())
        .filter(|name| OURS.iter().any(|ours| name.contains(ours)))
        .collect();
    assert_eq!(described, listed);
    let chat = description["components"]["schemas"]["ChatCompletionRequest"]["properties"].as_object().expect("fields");
    let listed = FIELDS.iter().filter(|field| field.endpoint == "POST /v1/chat/completions");
    let listed: BTreeSet<&str> = listed.map(|field| field.name).collect();
    assert_eq!(chat.keys().map(String::as_str).collect::<BTreeSet<_>>(), listed);
    for endpoint in ENDPOINTS.iter().filter(|endpoint| matches!(endpoint.status, Status::No(_))) {
        let (method, path) = endpoint.name.split_once(' ').expect("a method and a path");
        let answer = request(&server, method.parse().expect("a method"), path).send().await.expect("an answer");
        assert!([404, 405].contains(&answer.status().as_u16()), "{}", endpoint.name);
    }
    server.stop().await;
}
