//! stub
pub async fn engines(_: &super::config::Config) -> Result<crate::engine::Engines, Box<dyn std::error::Error>> {
    todo!()
}
