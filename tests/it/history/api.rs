//! A program that asks the HTTP interface.

use std::time::Duration;

use reqwest::{Method, Response};
use serde_json::Value;

use crate::harness::{PATIENCE, TestServer};

pub struct Api {
    base: String,
    client: reqwest::Client,
}

impl Api {
    pub fn of(server: &TestServer) -> Self {
        Self::at(format!("http://{}", server.address))
    }

    pub fn at(base: String) -> Self {
        let client = reqwest::Client::builder().timeout(PATIENCE).no_proxy().build().expect("a client");
        Self { base, client }
    }

    /// The status and the JSON body; `Null` if there is none.
    pub async fn get(&self, path: &str) -> (u16, Value) {
        self.ask(Method::GET, path, None).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> (u16, Value) {
        self.ask(Method::PATCH, path, Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> (u16, Value) {
        self.ask(Method::DELETE, path, None).await
    }

    /// The answer itself, which is a good one.
    pub async fn raw(&self, path: &str) -> Response {
        self.with(path, &[]).await.error_for_status().expect("a good answer")
    }

    pub async fn with(&self, path: &str, headers: &[(&str, &str)]) -> Response {
        let mut request = self.client.get(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.expect("the server answers")
    }

    /// Asks until the answer is as wanted: what is said reaches the database a moment after the client.
    pub async fn eventually(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let asking = async {
            loop {
                last = self.get(path).await.1;
                if wanted(&last) {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, asking).await.is_ok();
        assert!(in_time, "{path} stays {last:#}");
        last
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.expect("the server answers");
        let status = answer.status().as_u16();
        let text = answer.text().await.expect("a body");
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }
}
