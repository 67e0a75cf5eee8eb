//! A real Prometheus, from the system's packages, with our rules, that watches a server of a test.

use std::{fs, net::SocketAddr, path::Path, process::Command, time::Duration};

use reqwest::Client;
use serde_json::Value;
use tokio::time::Instant;

use crate::daemon::{Daemon, folder, free_port};

/// How long what it is waited for may take, on any machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// Ends when dropped, and with the test process.
pub struct Prometheus {
    port: u16,
    _daemon: Daemon,
}

impl Prometheus {
    /// One that asks `target` every second.
    pub fn watching(target: SocketAddr) -> Self {
        let folder = folder("aigolos-prometheus-");
        let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/monitoring/rules/*.yml");
        let config = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: [\"{}\"]\n\
             scrape_configs:\n- job_name: aigolos\n  static_configs: [{{targets: [\"{target}\"]}}]\n",
            rules.display()
        );
        fs::write(folder.join("prometheus.yml"), config).expect("a folder to write to");
        for attempt in 1.. {
            match Self::try_start(&folder, free_port()) {
                Ok(prometheus) => return prometheus,
                // Somebody else took the port in between.
                Err(error) => assert!(attempt < 5, "{error}"),
            }
        }
        unreachable!("it starts or panics")
    }

    fn try_start(folder: &Path, port: u16) -> Result<Self, String> {
        let version = Command::new("prometheus").arg("--version").output();
        version.expect("this test needs Prometheus\nhint: run `make deps`, or install the package prometheus");
        let command = [
            "prometheus".to_owned(),
            format!("--config.file={}", folder.join("prometheus.yml").display()),
            format!("--storage.tsdb.path={}", folder.join("data").display()),
            format!("--web.listen-address=127.0.0.1:{port}"),
        ];
        let ready = || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
        Ok(Self { port, _daemon: Daemon::start(folder, &command, ready)? })
    }

    async fn ask(&self, path: &str, query: &[(&str, &str)]) -> Value {
        let answer = Client::new().get(format!("http://127.0.0.1:{}/api/v1/{path}", self.port)).query(query).send();
        match answer.await {
            Ok(answer) => answer.json().await.unwrap_or_default(),
            // It listens before it answers.
            Err(_) => Value::Null,
        }
    }

    /// The series that `query` gives now.
    pub async fn query(&self, query: &str) -> Vec<Value> {
        let answer = self.ask("query", &[("query", query)]).await;
        assert_eq!(answer["status"], "success", "{query}\n{answer}");
        answer["data"]["result"].as_array().cloned().unwrap_or_default()
    }

    /// Waits until `query` gives something.
    pub async fn wait_for(&self, query: &str) {
        let until = Instant::now() + PATIENCE;
        loop {
            let answer = self.ask("query", &[("query", query)]).await;
            if answer["data"]["result"].as_array().is_some_and(|series| !series.is_empty()) {
                return;
            }
            assert!(Instant::now() < until, "{query} gives nothing: {answer}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// All rules, as it has read them.
    pub async fn rules(&self) -> Vec<Value> {
        let answer = self.ask("rules", &[]).await;
        let groups = answer["data"]["groups"].as_array().cloned().unwrap_or_default();
        groups.iter().flat_map(|group| group["rules"].as_array().cloned().unwrap_or_default()).collect()
    }
}
