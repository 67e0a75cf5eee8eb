//! The HTTP interface against its own description: schemathesis makes up requests, right and wrong ones, and looks for
//! answers that are not described and for faults of the server.

use std::{
    path::Path,
    process::{Command, Output},
};

use serde_json::json;

use crate::{
    accounts::visitor::{Browser, Mailbox, server as accounts},
    harness::TestServer,
};

/// Everything a made-up request may do, it may do to this server; a few operations would end the run itself.
const LEFT_OUT: &[&str] = &["/api/auth/logout"];

fn schemathesis(server: &TestServer, key: Option<&str>) -> Output {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join(".cache/venv/bin/schemathesis");
    assert!(program.exists(), "{} is missing: run scripts/python-venv.sh first", program.display());
    let folder = tempfile::tempdir().expect("a scratch folder");
    let mut command = Command::new(program);
    command
        .current_dir(folder.path())
        .args(["run", &format!("http://{}/api/openapi.json", server.address)])
        // The same requests each time; look for more with another seed and more examples.
        .args(["--seed", "20", "--max-examples", "20", "--no-shrink", "--phases", "examples,coverage,fuzzing"])
        .args([
            "--checks",
            "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance",
        ])
        .args([
            "--request-timeout",
            "60",
            "--continue-on-failure",
            "--suppress-health-check",
            "all",
            "--warnings",
            "off",
        ]);
    for path in LEFT_OUT {
        command.args(["--exclude-path", path]);
    }
    if let Some(key) = key {
        command.args(["--header", &format!("Authorization: Bearer {key}")]);
    }
    command.output().expect("schemathesis starts")
}

async fn nothing_is_found(server: TestServer, key: Option<String>) {
    let output = tokio::task::spawn_blocking(move || schemathesis(&server, key.as_deref())).await.expect("no panic");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("passed"), "it has tried something: {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn made_up_requests_find_nothing_that_is_not_described() {
    let server = TestServer::start(&["--rate-limit", "0", "--rate-limit-auth", "0"]).await;
    nothing_is_found(server, None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_do_those_of_a_person_with_a_key_among_accounts() {
    let server = accounts(&[]).await;
    let mut mailbox = Mailbox::of(&server);
    let mut browser = Browser::join(&server, &mut mailbox, "mia@example.org").await;
    let made =
        browser.post("/api/keys/", json!({"name": "made up", "scopes": ["asr", "llm", "tts"]})).await.expect(201);
    let key = made.body["secret"].as_str().expect("shown once").to_owned();
    nothing_is_found(server, Some(key)).await;
}
