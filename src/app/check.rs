//! stub
pub async fn check(_: &super::config::Config) -> Result<std::process::ExitCode, Box<dyn std::error::Error>> {
    todo!()
}
